import datetime
import json
import random

import azure.functions as func


def main(myTimer: func.TimerRequest, actions: func.Out[str]) -> None:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    reading = f"Temperature: {random.uniform(22, 24):.1f}\xb0C, Humidity: {random.uniform(40, 50):.1f}%"
    actions.set(
        json.dumps({"actionName": "sendToAll", "data": f"[DateTime: {now}] {reading}", "dataType": "text"})
    )
