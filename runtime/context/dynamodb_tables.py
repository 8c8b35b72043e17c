"""The two tables in DynamoDB, for devices of one owner that share a database of theirs; needs ``nearword[dynamodb]``.

Both tables have a time to live; DynamoDB deletes late, so what has expired is left aside here as well.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from .errors import ContextStoreError
from .sqlite_tables import batch_of
from .tables import EventKind, EventRow, Item

EVENTS, ITEMS = "events", "items"
TRIES = 5
"""Of a conditional write that others come before."""
BATCH = 25
"""Items that DynamoDB takes at once."""
_KINDS = tuple(EventKind)


class DynamoTables:
    """``Tables`` in two tables of DynamoDB, named ``PREFIX-events`` and ``PREFIX-items``."""

    def __init__(
        self,
        prefix: str = "nearword-context",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        create: bool = True,
    ) -> None:
        """Connect, with the credentials that boto3 finds.

        Args:
            prefix: of the names of the tables.
            endpoint: address of another DynamoDB than Amazon's, such as one on this machine.
            region: Amazon's region; by default that of the configuration.
            create: whether missing tables are made, with pay per request and a time to live.

        Raises:
            ContextStoreError: boto3 is not installed, there is no connection, or a table is missing.
        """
        try:
            import boto3  # noqa: PLC0415 (optional)
            from botocore.config import Config  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        except ImportError as error:
            raise ContextStoreError("DynamoDB needs 'boto3'; pip install 'nearword[dynamodb]'") from error
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        self._names = {EVENTS: f"{prefix}-events", ITEMS: f"{prefix}-items"}
        with self._told():
            config = Config(connect_timeout=2, read_timeout=2, retries={"max_attempts": 2})
            self._client: Any = boto3.client("dynamodb", endpoint_url=endpoint, region_name=region, config=config)
            if create:
                self._create()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise ContextStoreError(
                f"DynamoDB, tables {self._names[EVENTS]} and {self._names[ITEMS]}: {error}"
            ) from error

    def _create(self) -> None:
        keys = {EVENTS: ("interaction",), ITEMS: ("interaction", "item")}
        for table, names in keys.items():
            try:
                self._client.create_table(
                    TableName=self._names[table],
                    AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
                    KeySchema=[
                        {"AttributeName": name, "KeyType": kind}
                        for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
                    ],
                    BillingMode="PAY_PER_REQUEST",
                )
            except self._client.exceptions.ResourceInUseException:
                continue
            self._client.get_waiter("table_exists").wait(TableName=self._names[table], WaiterConfig={"Delay": 1})
            self._client.update_time_to_live(
                TableName=self._names[table], TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
            )

    def write(
        self, interaction: str, kind: EventKind, value: str, items: Sequence[Item], *, now: float, expires: float
    ) -> EventRow:
        """See ``Tables``."""
        with self._told():
            # the items first: nobody sees them before the event names their batch
            batch = batch_of(value)
            self._batch({"PutRequest": {"Item": _item(interaction, batch, item, expires)}} for item in items)
            return self._set(interaction, kind, value, now, expires)

    def _set(self, interaction: str, kind: EventKind, value: str, now: float, expires: float) -> EventRow:
        refused: type[Exception] = self._client.exceptions.ConditionalCheckFailedException
        values = {":value": {"S": value}, ":expires": _number(expires), ":now": _number(now)}
        for _ in range(TRIES):
            try:
                done = self._client.update_item(
                    TableName=self._names[EVENTS],
                    Key={"interaction": {"S": interaction}},
                    UpdateExpression="SET #kind = :value, expires = :expires",
                    ConditionExpression="attribute_not_exists(expires) OR expires > :now",
                    ExpressionAttributeNames={"#kind": kind.value},
                    ExpressionAttributeValues=values,
                    ReturnValues="ALL_NEW",
                )
                return _event_row(done["Attributes"])
            except refused:
                pass
            try:  # what is there has expired, and is only late in being deleted: begin anew
                row = {"interaction": {"S": interaction}, kind.value: {"S": value}, "expires": _number(expires)}
                self._client.put_item(
                    TableName=self._names[EVENTS],
                    Item=row,
                    ConditionExpression="expires <= :now",
                    ExpressionAttributeValues={":now": _number(now)},
                )
                return _event_row(row)
            except refused:
                continue  # another was first
        raise ContextStoreError(f"interaction {interaction!r}: others wrote it {TRIES} times meanwhile")

    def row(self, interaction: str, *, now: float) -> EventRow | None:
        """See ``Tables``."""
        with self._told():
            found = self._client.get_item(
                TableName=self._names[EVENTS], Key={"interaction": {"S": interaction}}, ConsistentRead=True
            ).get("Item")
        row = None if found is None else _event_row(found)
        return None if row is None or row.expires <= now else row

    def rows(self, *, now: float) -> list[EventRow]:
        """See ``Tables``."""
        with self._told():
            rows = [
                _event_row(found) for found in self._all("scan", TableName=self._names[EVENTS], ConsistentRead=True)
            ]
        return sorted((row for row in rows if row.expires > now), key=lambda row: row.expires)

    def items(self, interaction: str, batch: str, *, now: float) -> list[Item]:
        """See ``Tables``."""
        with self._told():
            found = [*self._items(interaction, f"{batch}:")]
        return sorted(
            (
                Item(int(each["number"]["N"]), bytes(each["data"]["B"]))
                for each in found
                if float(each["expires"]["N"]) > now
            ),
            key=lambda item: item.number,
        )

    def delete(self, interaction: str) -> bool:
        """See ``Tables``."""
        with self._told():
            gone = self._client.delete_item(
                TableName=self._names[EVENTS], Key={"interaction": {"S": interaction}}, ReturnValues="ALL_OLD"
            )
            self._batch({"DeleteRequest": {"Key": _key(each)}} for each in self._items(interaction, ""))
        return "Attributes" in gone

    def purge(self, *, now: float) -> int:
        """See ``Tables``."""
        gone = 0
        limit = {} if now == float("inf") else {
            "FilterExpression": "expires <= :now", "ExpressionAttributeValues": {":now": _number(now)},
        }  # fmt: skip
        with self._told():
            for table in (ITEMS, EVENTS):
                found = [*self._all("scan", TableName=self._names[table], ConsistentRead=True, **limit)]
                self._batch(({"DeleteRequest": {"Key": _key(each)}} for each in found), table)
                gone += len(found)
        return gone

    def close(self) -> None:
        """See ``Tables``."""
        self._client.close()

    def _items(self, interaction: str, prefix: str) -> Iterator[dict[str, Any]]:
        begins = " AND begins_with(#item, :prefix)" if prefix else ""
        names = {"ExpressionAttributeNames": {"#item": "item"}} if prefix else {}
        values = {":interaction": {"S": interaction}} | ({":prefix": {"S": prefix}} if prefix else {})
        return self._all(
            "query",
            TableName=self._names[ITEMS],
            KeyConditionExpression="interaction = :interaction" + begins,
            ExpressionAttributeValues=values,
            ConsistentRead=True,
            **names,
        )

    def _all(self, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator(operation).paginate(**arguments):
            yield from page["Items"]

    def _batch(self, requests: "Iterator[dict[str, Any]]", table: str = ITEMS) -> None:
        waiting = [*requests]
        name, pause = self._names[table], 0.05
        while waiting:
            answer = self._client.batch_write_item(RequestItems={name: waiting[:BATCH]})
            refused = answer.get("UnprocessedItems", {}).get(name, [])
            waiting = refused + waiting[BATCH:]
            if refused:
                time.sleep(pause)
                pause = min(2 * pause, 1.0)


def _item(interaction: str, batch: str, item: Item, expires: float) -> dict[str, Any]:
    return {
        "interaction": {"S": interaction},
        "item": {"S": f"{batch}:{item.number:06}"},
        "number": {"N": str(item.number)},
        "data": {"B": item.data},
        "expires": _number(expires),
    }


def _key(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("interaction", "item") if name in row}


def _number(seconds: float) -> dict[str, str]:
    return {"N": str(Decimal(repr(seconds)).quantize(Decimal("0.001")))}


def _event_row(found: dict[str, Any]) -> EventRow:
    return EventRow(
        found["interaction"]["S"],
        {kind: found[kind.value]["S"] for kind in _KINDS if kind.value in found},
        float(found["expires"]["N"]),
    )
