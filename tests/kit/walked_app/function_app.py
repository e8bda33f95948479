"""What the walks lead through: a function for each of connect, a message and an action."""

import webpubsub as wps

HUB = "walked"

app = wps.FunctionApp()


@app.web_pubsub_trigger(hub=HUB, event_type="system", event_name="connect")
async def connect(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse:
    return request.create_response(groups=["room"])


@app.web_pubsub_trigger(hub=HUB, event_type="user", event_name="message")
async def message(request: wps.UserEventRequest) -> str:
    return f"you said {request.data}"


@app.web_pubsub_trigger(hub=HUB, event_type="user", event_name="tell")
@app.web_pubsub_output(hub=HUB)
async def tell(request: wps.UserEventRequest, actions: wps.Actions) -> None:
    actions.send_to_group("room", request.data)
