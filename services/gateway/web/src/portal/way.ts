/** Two places, and how far they are from each other. */
export interface Spot {
  lat: number
  lon: number
}

const METRES_PER_DEGREE = 111_195

/** In a straight line; for places of one city the earth is flat enough. */
export function metres(one: Spot, other: Spot): number {
  const north = (one.lat - other.lat) * METRES_PER_DEGREE
  const east = (one.lon - other.lon) * METRES_PER_DEGREE * Math.cos((one.lat * Math.PI) / 180)
  return Math.hypot(north, east)
}
