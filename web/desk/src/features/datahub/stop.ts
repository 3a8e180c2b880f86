// Whether a load can be stopped, and if not, why. Pure.
import type { Batch } from '@shared/api.types'
import { t } from '@shared/i18n'
import { isLive } from './layers'

/** Why a load that is under way cannot be stopped any more; empty: it can. */
export function whyNotStopped(batch: Batch): string {
  if (batch.stop) return t('stop.under_way')
  return batch.progress?.finishing ? t('stop.finishing') : ''
}

export function mayShowStop(batch: Batch, mayStop: boolean): boolean {
  return mayStop && isLive(batch)
}
