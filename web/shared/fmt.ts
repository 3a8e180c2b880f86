// How figures, money, dates, codes and deadlines are written, on every face. Pure functions: the time is an
// argument. Missing is always "—", a true zero is "0", minus is "−"; dates are counted in Beijing time.

export const MISSING = '—'
const MINUS = '−'
const BEIJING_OFFSET_MS = 8 * 3600 * 1000
const DAY_MS = 24 * 3600 * 1000

type Maybe<T> = T | null | undefined

function isNumber(value: Maybe<number>): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function group(value: number, digits: number): string {
  const fixed = Math.abs(value).toFixed(digits)
  const [whole = '0', rest] = fixed.split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  const isNegative = value < 0 && Number(fixed) !== 0
  return (isNegative ? MINUS : '') + grouped + (rest ? `.${rest}` : '')
}

/** 1284 → `1,284` */
export function count(value: Maybe<number>): string {
  return isNumber(value) ? group(value, 0) : MISSING
}

/** Three figures for leaders: 61300 → `6.13万`, 456000000 → `4.56亿`. */
export function countShort(value: Maybe<number>): string {
  if (!isNumber(value)) return MISSING
  const size = Math.abs(value)
  if (size < 9_999.5) return group(value, 0)
  const inWan = size < 99_995_000
  const scaled = value / (inWan ? 1e4 : 1e8)
  const whole = Math.abs(scaled)
  const digits = whole < 9.995 ? 2 : whole < 99.95 ? 1 : 0
  return group(scaled, digits) + (inWan ? '万' : '亿')
}

/** A share of one: 0.744 → `74.4%` */
export function share(value: Maybe<number>, digits = 1): string {
  return isNumber(value) ? `${group(value * 100, digits)}%` : MISSING
}

/** `part / whole` as a share; nothing to divide by is missing, not zero. */
export function shareOf(part: Maybe<number>, whole: Maybe<number>): string {
  if (!isNumber(part) || !isNumber(whole) || whole === 0) return MISSING
  const value = part / whole
  // 99.97% must not read as "all of them", nor 0.02% as "none".
  if (value < 1 && value > 0.9995) return '99.9%'
  if (value > 0 && value < 0.0005) return '<0.1%'
  return share(value)
}

/** The change of a share: 0.034 → `+3.4 个百分点`, never `%`. */
export function shareChange(value: Maybe<number>): string {
  if (!isNumber(value)) return MISSING
  const text = group(value * 100, 1)
  return `${value > 0 && text !== '0.0' ? '+' : ''}${text} 个百分点`
}

/** Money is kept in 分: 500000 → `5,000.00 元` */
export function money(fen: Maybe<number>): string {
  return isNumber(fen) ? `${group(fen / 100, 2)} 元` : MISSING
}

/** Money for dashboards: 500000000 分 → `500.00 万元` */
export function moneyWan(fen: Maybe<number>): string {
  return isNumber(fen) ? `${group(fen / 1_000_000, 2)} 万元` : MISSING
}

/** 2048 → `2.0 KB` */
export function bytes(value: Maybe<number>): string {
  if (!isNumber(value)) return MISSING
  if (value < 1024) return `${value} B`
  const units = ['KB', 'MB', 'GB', 'TB']
  let size = value / 1024
  let unit = 0
  while (size >= 1023.95 && unit < units.length - 1) {
    size /= 1024
    unit += 1
  }
  return `${size.toFixed(1)} ${units[unit]}`
}

/** An instant: RFC 3339 text, or microseconds since 1970 as the store keeps them. */
export type Instant = string | number

function toMs(at: Maybe<Instant>): number | undefined {
  if (at === null || at === undefined || at === '') return undefined
  const ms = typeof at === 'number' ? at / 1000 : Date.parse(at)
  return Number.isFinite(ms) ? ms : undefined
}

function beijing(ms: number): { date: string; time: string; seconds: string } {
  const iso = new Date(ms + BEIJING_OFFSET_MS).toISOString()
  return { date: iso.slice(0, 10), time: iso.slice(11, 16), seconds: iso.slice(11, 19) }
}

const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/

/** `2026-11-21`, from a date as it stands or from an instant in Beijing time. */
export function date(value: Maybe<Instant>): string {
  if (typeof value === 'string' && DATE_ONLY.test(value)) return value
  const ms = toMs(value)
  return ms === undefined ? MISSING : beijing(ms).date
}

/** `2026年11月21日`, for documents and the portal. */
export function dateLong(value: Maybe<Instant>): string {
  const text = date(value)
  if (text === MISSING) return MISSING
  const [year, month, day] = text.split('-')
  return `${year}年${Number(month)}月${Number(day)}日`
}

/** `2026-11-21 08:00` */
export function dateTime(value: Maybe<Instant>): string {
  const ms = toMs(value)
  if (ms === undefined) return MISSING
  const at = beijing(ms)
  return `${at.date} ${at.time}`
}

/** `08:00:05`, for things that happen while one looks. */
export function clock(value: Maybe<Instant>): string {
  const ms = toMs(value)
  return ms === undefined ? MISSING : beijing(ms).seconds
}

/** Seconds between two instants in words: `3 秒`, `2 分 05 秒`, `1 小时 02 分`. */
export function duration(from: Maybe<Instant>, to: Maybe<Instant>): string {
  const start = toMs(from)
  const end = toMs(to)
  if (start === undefined || end === undefined || end < start) return MISSING
  const seconds = Math.round((end - start) / 1000)
  if (seconds < 1) return '不到 1 秒'
  if (seconds < 60) return `${seconds} 秒`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} 分 ${String(seconds % 60).padStart(2, '0')} 秒`
  return `${Math.floor(minutes / 60)} 小时 ${String(minutes % 60).padStart(2, '0')} 分`
}

export type Tone = 'ok' | 'warn' | 'bad' | 'brand' | 'muted'
export interface Deadline {
  text: string
  tone: Tone
}

function dayNumber(text: string): number {
  return Math.floor(Date.parse(`${text}T00:00:00Z`) / DAY_MS)
}

/** `剩 2 天` / `今日到期` / `逾期 1 天`, in calendar days of Beijing. */
export function deadline(due: Maybe<Instant>, nowMs: number): Deadline {
  const text = date(due)
  if (text === MISSING) return { text: MISSING, tone: 'muted' }
  const left = dayNumber(text) - dayNumber(beijing(nowMs).date)
  if (left < 0) return { text: `逾期 ${count(-left)} 天`, tone: 'bad' }
  if (left === 0) return { text: '今日到期', tone: 'bad' }
  return { text: `剩 ${count(left)} 天`, tone: left <= 3 ? 'warn' : 'muted' }
}

/** A unified social credit code in its parts: `91 370400 MA3XXXXXX X`. Other codes stay as they are. */
export function uscc(code: Maybe<string>): string {
  if (!code) return MISSING
  if (!/^[0-9A-Z]{18}$/.test(code)) return code
  return `${code.slice(0, 2)} ${code.slice(2, 8)} ${code.slice(8, 17)} ${code.slice(17)}`
}

/** `370402199001011234` → `3704**********1234` */
export function maskId(id: Maybe<string>): string {
  if (!id) return MISSING
  if (id.length < 9) return '*'.repeat(id.length)
  return id.slice(0, 4) + '*'.repeat(id.length - 8) + id.slice(-4)
}

/** `13812345678` → `138****5678` */
export function maskPhone(phone: Maybe<string>): string {
  if (!phone) return MISSING
  if (phone.length < 8) return '*'.repeat(phone.length)
  return phone.slice(0, 3) + '*'.repeat(phone.length - 7) + phone.slice(-4)
}

/** Text that may be missing or blank. */
export function text(value: Maybe<string | number>): string {
  if (value === null || value === undefined) return MISSING
  const plain = String(value).trim()
  return plain === '' ? MISSING : plain
}
