"""The message alone, as without the package."""


async def main(data: bytes):
    return {"data": {"type": "Buffer", "data": list(reversed(data))}, "dataType": "binary"}
