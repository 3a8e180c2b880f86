// What the log's technical names mean to a reader: tables and kinds of objects. Unknown ones stay as they are.

const NAMES: Readonly<Record<string, string>> = {
  account: '账号',
  agency: '部门',
  audit_report: '月度审计报告',
  blob: '原始文件',
  catalog_implementation: '检查实施清单',
  catalog_item: '监管事项',
  catalog_mapping: '事项对应',
  catalog_source: '事项清单',
  certificate_wording: '执法类别对应',
  credential: '登录凭据',
  data_export: '导出记录',
  enrolment: '启用码',
  erasure: '已销毁的个人密钥',
  fact_commit: '数据写入记录',
  fact_mark: '数据状态标记',
  fact_segment: '数据段',
  export_request: '导出申请',
  facts: '监管数据',
  field_reveal: '查看明文',
  grant_request: '授权申请',
  hub_batch: '批次',
  hub_connection: '连接记录',
  hub_repair: '更正记录',
  hub_source: '数据来源',
  mention: '数据中的名称',
  officer: '执法人员',
  officer_certificate: '执法证件',
  officer_source: '执法人员来源',
  officer_suspension: '证件暂扣',
  party: '监管对象',
  party_merge: '对象合并',
  party_pair: '疑似同一对象',
  party_source: '对象来源',
  party_version: '对象历史',
  portal_correction: '纠错',
  portal_post: '公开文章',
  portal_post_step: '文章办理过程',
  portal_post_text: '文章内容',
  refusal: '拒绝记录',
  role_grant: '授权',
  second_factor: '动态口令',
  source_token: '来源令牌',
  unlock_request: '解锁与重置申请',
  login: '无此账号的登录名',
  weekly_digest: '每周简报',
  work_item: '待办',
  work_item_step: '待办办理过程',
  act_journal: '办理记录',
  log: '监管日志',
  log_fork: '日志分叉',
  log_witness_reset: '重新见证',
  officer_binding: '证件绑定',
  payload_erasure: '已删除的日志内容',
}

export const nameOf = (name: string): string => NAMES[name] ?? name

/** `party:0197…` as 监管对象 0197…. */
export function objectText(object: string, name?: string | null): string {
  if (name) return `${nameOf(object.slice(0, Math.max(object.indexOf(':'), 0)))} ${name}`
  const at = object.indexOf(':')
  if (at < 0) return nameOf(object)
  return `${nameOf(object.slice(0, at))} ${object.slice(at + 1)}`
}
