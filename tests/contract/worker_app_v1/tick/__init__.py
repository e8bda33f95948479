"""Names in snake_case, of other people's bindings too."""

import azure.functions as func

import webpubsub as wps


@wps.typed
async def main(my_timer: func.TimerRequest, to_all: wps.Actions) -> None:
    to_all.send_to_all({"past due": my_timer.past_due})
