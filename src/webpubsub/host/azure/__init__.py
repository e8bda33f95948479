"""Services of Azure that the host calls: Web PubSub by connection name, and who signs in there."""
