import { Problem } from '@shared/client'
import { expect, it } from 'vitest'
import { refusedBy } from './refusal'

const places = { new: 'next', password: 'next', 'access.not_accepted': 'current' } as const
const weak = new Problem(422, {
  type: '',
  title: '密码不合要求',
  status: 422,
  code: 'access.weak_password',
  errors: [{ field: 'password', message: '至少 12 位' }],
})

it('says each reason once, at the field it is about', () => {
  expect(refusedBy(weak, places, '没有办成')).toEqual({ fields: { next: '至少 12 位' }, rest: '' })
})

it('knows which field a problem as a whole is about', () => {
  const wrong = new Problem(401, { type: '', title: '密码不正确', status: 401, code: 'access.not_accepted' })
  expect(refusedBy(wrong, places, '').fields).toEqual({ current: '密码不正确' })
})

it('leaves nothing out that belongs to no field', () => {
  const two = new Problem(422, {
    type: '',
    title: '填写有误',
    status: 422,
    code: 'access.invalid',
    errors: [{ field: 'reason', message: '请写明理由' }],
  })
  expect(refusedBy(two, places, '')).toEqual({ fields: {}, rest: '填写有误。请写明理由' })
  expect(refusedBy(new Error('x'), places, '没有办成').rest).toBe('没有办成')
})
