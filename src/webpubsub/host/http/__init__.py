"""HTTP functions: routes, requests under way, what every answer gets."""
