"""Recognition for asyncio: pipeline, event stream, stages."""
