"""What apps know from .NET: routes of ASP.NET, formats of times and GUIDs, time spans."""
