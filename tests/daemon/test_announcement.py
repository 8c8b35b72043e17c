"""Home Assistant finds the daemon by multicast DNS; here on the loopback interface."""

import asyncio

import pytest

pytest.importorskip("zeroconf")

from nearword.runtime.daemon.announcement import SERVICE, Announcement
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf


def test_the_service_is_found_with_its_address_and_port() -> None:
    async def run() -> None:
        async with Announcement("nearword-test", "127.0.0.1", 10300, interfaces=["127.0.0.1"]):
            other = AsyncZeroconf(interfaces=["127.0.0.1"])
            try:
                info = AsyncServiceInfo(SERVICE, f"nearword-test.{SERVICE}")
                for _ in range(4):  # what is asked by multicast may be lost
                    if await info.async_request(other.zeroconf, 5000):
                        break
                assert info.port == 10300
                assert info.parsed_addresses() == ["127.0.0.1"]
            finally:
                await other.async_close()

    asyncio.run(run())
