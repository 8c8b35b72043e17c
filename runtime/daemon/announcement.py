"""The daemon on the network, for Home Assistant to find: a Wyoming service announced by multicast DNS."""

import ipaddress
from collections.abc import Sequence

from typing_extensions import Self
from zeroconf import InterfaceChoice, NonUniqueNameException
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from .errors import DaemonError

SERVICE = "_wyoming._tcp.local."


class Announcement:
    """Stands for as long as ``async with`` does."""

    def __init__(self, name: str, host: str, port: int, interfaces: Sequence[str] | None = None) -> None:
        """Describe it.

        Args:
            name: what people see.
            host: where the daemon listens; everywhere stands for all addresses of this machine.
            port: its port.
            interfaces: addresses of the network interfaces to announce at; all by default.
        """
        self._name, self._host, self._port = name, host, port
        self._interfaces = list(interfaces) if interfaces else InterfaceChoice.All
        self._zeroconf: AsyncZeroconf | None = None

    async def __aenter__(self) -> Self:
        """Announce.

        Raises:
            DaemonError: there is no network, or the name is another's.
        """
        try:
            self._zeroconf = AsyncZeroconf(interfaces=self._interfaces)
            info = AsyncServiceInfo(
                SERVICE,
                f"{self._name}.{SERVICE}",
                port=self._port,
                parsed_addresses=_addresses(self._host),
                properties={},
            )
            await (await self._zeroconf.async_register_service(info))
        except (OSError, NonUniqueNameException) as error:
            await self.__aexit__()
            raise DaemonError(f"zeroconf {self._name!r} cannot be announced: {type(error).__name__} {error}") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        """Take it back."""
        zeroconf, self._zeroconf = self._zeroconf, None
        if zeroconf is not None:
            await zeroconf.async_unregister_all_services()
            await zeroconf.async_close()


def _addresses(host: str) -> list[str]:
    if host not in ("0.0.0.0", "::"):  # noqa: S104 (what a daemon may listen at)
        return [host]
    import ifaddr  # noqa: PLC0415 (comes with zeroconf)

    found = [
        address.ip if isinstance(address.ip, str) else address.ip[0]
        for adapter in ifaddr.get_adapters()
        for address in adapter.ips
    ]
    usable = [one for one in found if not ipaddress.ip_address(one).is_loopback]
    return usable or found
