"""What MQTT adds: properties of packets, numbers of refusals, and both in the bodies of events."""
