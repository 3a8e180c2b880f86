// A department's file for the stories: two enterprises, the second with a wrong check digit. The names are new
// in each run, so that a second run on the same server does not meet the rows of the first.
const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
const ORG_WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2]
/** Characters with one reading each, and its initial. */
const SYLLABLES = [
  ['鲁', 'l'],
  ['明', 'm'],
  ['华', 'h'],
  ['福', 'f'],
  ['康', 'k'],
  ['百', 'b'],
  ['江', 'j'],
  ['海', 'h'],
  ['山', 's'],
  ['天', 't'],
  ['新', 'x'],
  ['东', 'd'],
]

const pick = (list) => list[Math.floor(Math.random() * list.length)]

/** A valid unified social credit code of 枣庄市市中区 (GB 32100, with the organisation code of GB 11714). Letters as
 *  well as digits: with digits alone two of a few hundred were the same once in thirty runs. */
export function newUscc() {
  const body = Array.from({ length: 8 }, (_, i) => (i === 0 ? 'M' : i === 1 ? 'A' : pick(ALPHABET))).join('')
  const value36 = (c) => (/\d/.test(c) ? Number(c) : c.charCodeAt(0) - 55)
  const rest = 11 - ([...body].reduce((sum, c, i) => sum + value36(c) * ORG_WEIGHTS[i], 0) % 11)
  const first17 = `91370402${body}${rest === 10 ? 'X' : rest === 11 ? '0' : rest}`
  const sum = [...first17].reduce((total, c, i) => total + ALPHABET.indexOf(c) * WEIGHTS[i], 0)
  return first17 + ALPHABET[(31 - (sum % 31)) % 31]
}

/** The same code with its check digit moved on by one. */
export function spoiled(uscc) {
  return uscc.slice(0, 17) + ALPHABET[(ALPHABET.indexOf(uscc[17]) + 1) % 31]
}

export const PERSONAL = { phone: '13905321876', citizenId: '34052419800101001X', contact: '欧阳见微' }

export function newSheet() {
  const syllables = Array.from({ length: 5 }, () => pick(SYLLABLES))
  const word = syllables.map(([character]) => character).join('')
  const good = newUscc()
  const bad = spoiled(newUscc())
  const id = () => `E2E${Date.now()}${Math.floor(Math.random() * 1e6)}`
  const rows = [
    [
      '主体身份代码',
      '统一社会信用代码',
      '企业名称',
      '法定代表人',
      '住所',
      '登记状态（中文名称）',
      '成立日期',
      '联络员姓名',
      '联络员身份证号码',
      '联络员手机号码',
    ],
    [
      id(),
      good,
      `枣庄${word}商贸有限公司`,
      '李明',
      '山东省枣庄市市中区文化路 18 号',
      '存续',
      '2016-05-18',
      PERSONAL.contact,
      PERSONAL.citizenId,
      PERSONAL.phone,
    ],
    [
      id(),
      bad,
      `枣庄${word}食品有限公司`,
      '张强',
      '山东省枣庄市市中区文化路 20 号',
      '存续',
      '2017-03-02',
      '',
      '',
      '',
    ],
  ]
  return {
    csv: `${rows.map((row) => row.join(',')).join('\r\n')}\r\n`,
    word,
    initials: `zz${syllables.map(([, initial]) => initial).join('')}`,
    goodName: `枣庄${word}商贸有限公司`,
    goodUscc: good,
    badUscc: bad,
  }
}
