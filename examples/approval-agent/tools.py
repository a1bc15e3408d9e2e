"""The agent's two tools. Both are pretend, and give the same answer to the same question every time."""

import hashlib
from typing import Any

from langchain_core.tools import tool

AIRLINES = {"OC": "Ocean Air", "NW": "Northwind", "TC": "Trans Continental"}
DEPARTURES = ("06:40", "11:15", "18:05")


def _number(*parts: str) -> int:
    """A number that depends on the text alone."""
    digest = hashlib.sha256("|".join(parts).lower().encode()).digest()
    return int.from_bytes(digest[:4], "big")


@tool
def search_flights(origin: str, destination: str, day: str) -> list[dict[str, Any]]:
    """Finds the flights from one city to another on a day, cheapest first."""
    if origin.lower() == destination.lower():
        raise ValueError("origin and destination are the same city")
    flights = []
    for (code, airline), departs in zip(AIRLINES.items(), DEPARTURES, strict=True):
        number = _number(code, origin, destination)
        flights.append(
            {
                "flight": f"{code} {number % 900 + 100}",
                "airline": airline,
                "origin": origin,
                "destination": destination,
                "day": day,
                "departs": departs,
                "price_eur": 60 + _number(code, origin, destination, day) % 240,
            }
        )
    return sorted(flights, key=lambda flight: flight["price_eur"])


@tool
def book_flight(flight: str, origin: str, destination: str, day: str, passengers: int = 1) -> dict[str, Any]:
    """Books seats on a flight. A person is asked before the booking is made."""
    if passengers < 1:
        raise ValueError("a booking needs at least one passenger")
    code = f"{_number(flight, origin, destination, day, str(passengers)) % 1_000_000:06d}"
    return {"booked": True, "flight": flight, "day": day, "passengers": passengers, "confirmation": f"DG{code}"}
