// Boundaries of a city's districts as an SVG outline. One file a city under src/geo, loaded when it is needed;
// where they come from stands in data/README.md.

export interface DistrictShape {
  area: string
  name: string
  label: [number, number]
  rings: [number, number][][]
}

export interface CityShape {
  city: string
  districts: DistrictShape[]
}

const FILES = import.meta.glob<CityShape>('../../geo/*.json', { import: 'default' })

/** The city that an area lies in, if its boundaries are there. */
export async function shapeOf(area: string): Promise<CityShape | undefined> {
  const load = FILES[`../../geo/${area.slice(0, 4)}00.json`]
  return load === undefined ? undefined : await load()
}

export interface Drawn {
  area: string
  name: string
  path: string
  x: number
  y: number
}

const WIDTH = 420

/** Degrees to a plane that keeps angles well enough for one city. */
export function outline(shape: CityShape): { viewBox: string; districts: Drawn[] } {
  const all = shape.districts.flatMap((one) => one.rings.flat())
  const lons = all.map(([lon]) => lon)
  const lats = all.map(([, lat]) => lat)
  const west = Math.min(...lons)
  const north = Math.max(...lats)
  const squeeze = Math.cos(((north + Math.min(...lats)) / 2) * (Math.PI / 180))
  const scale = WIDTH / ((Math.max(...lons) - west) * squeeze || 1)
  const x = (lon: number) => Math.round((lon - west) * squeeze * scale * 10) / 10
  const y = (lat: number) => Math.round((north - lat) * scale * 10) / 10
  const height = Math.ceil(y(Math.min(...lats)))
  return {
    viewBox: `-4 -4 ${WIDTH + 8} ${height + 8}`,
    districts: shape.districts.map((one) => ({
      area: one.area,
      name: one.name,
      path: one.rings
        .map((ring) => `M${ring.map(([lon, lat]) => `${x(lon)} ${y(lat)}`).join('L')}Z`)
        .join(''),
      x: x(one.label[0]),
      y: y(one.label[1]),
    })),
  }
}
