"""A function is to its tests and to other functions what it was before it got decorated."""

import azure.functions as func

import webpubsub as wps

app = wps.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
blueprint = wps.Blueprint()
plain = func.FunctionApp()


@app.web_pubsub_trigger(hub="chat", event_type="user", event_name="message")
@app.web_pubsub_output(hub="chat")
def message(request: wps.UserEventRequest, actions: wps.Actions) -> str:
    return f"you said {request.data}"


@blueprint.web_pubsub_trigger(hub="chat", event_type=wps.WebPubSubEventType.SYSTEM, event_name="connect")
async def connect(request: wps.ConnectEventRequest) -> wps.ConnectEventResponse:
    return request.create_response(groups=["lobby"])


@wps.web_pubsub_trigger(plain, hub="chat", event_type="system", event_name="disconnected")
async def disconnected(*, reason: str) -> None: ...


@wps.web_pubsub_context_input(plain)
def upstream(req: func.HttpRequest, wps_context: wps.WebPubSubContext) -> func.HttpResponse:
    return wps.http_response(wps_context)


@app.web_pubsub_connection_input(hub="chat")
def negotiate(req: func.HttpRequest, connection: wps.WebPubSubConnection, times: int = 1) -> str:
    return connection.url * times


@wps.typed
def main(request: wps.UserEventRequest, actions: wps.Actions) -> str:
    return "sent"


@wps.typed(function_json="other/function.json")
async def other(timer: func.TimerRequest) -> wps.Actions:
    return wps.Actions()


reveal_type(message)  # R: def (request: UserEventRequest, actions: Actions) -> str
reveal_type(connect)  # R: def (request: ConnectEventRequest) -> Coroutine[Any, Any, ConnectEventResponse]
reveal_type(disconnected)  # R: def (*, reason: str) -> Coroutine[Any, Any, None]
reveal_type(upstream)  # R: def (req: HttpRequest, wps_context: WebPubSubContext) -> HttpResponse
reveal_type(negotiate)  # R: def (req: HttpRequest, connection: WebPubSubConnection, times: int =) -> str
reveal_type(main)  # R: def (request: UserEventRequest, actions: Actions) -> str
reveal_type(other)  # R: def (timer: TimerRequest) -> Coroutine[Any, Any, Actions]


async def caller(connecting: wps.ConnectEventRequest, said: wps.UserEventRequest) -> None:
    await connect(connecting)
    connect(connecting)  # E: unused-coroutine
    await connect(said)  # E: arg-type
    message(said, wps.Actions())
    message(said)  # E: call-arg
    message(said, ["nothing"])  # E: arg-type
    length: int = message(said, wps.Actions())  # E: assignment
    await disconnected("bye")  # E: call-arg


app.web_pubsub_trigger(hub="chat", event_name="message")  # E: call-arg
app.web_pubsub_trigger("chat", event_type="user", event_name="message")  # E: misc
app.web_pubsub_output(hub=5)  # E: arg-type
app.web_pubsub_connection_input(hub="chat", expires_after="an hour")  # E: arg-type
app.web_pubsub_output(hub="chat")("no function")  # E: type-var
wps.web_pubsub_trigger(object(), event_type="user", event_name="message")  # E: arg-type

wps.UserEventReqest  # E: attr-defined
