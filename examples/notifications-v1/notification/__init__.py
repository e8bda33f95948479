"""A reading for everybody who watches, every ten seconds."""

import random
from datetime import UTC, datetime

import azure.functions as func

import webpubsub as wps


@wps.typed
def main(timer: func.TimerRequest, actions: wps.Actions) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    temperature = random.uniform(22, 24)
    humidity = random.uniform(40, 50)
    actions.send_to_all(
        f"[DateTime: {now}] Temperature: {temperature:.1f}\N{DEGREE SIGN}C, Humidity: {humidity:.1f}%"
    )
