// Texts about a batch of which not one row was taken; they load with the pages that show batches.
export const unread = {
  'unread.state': '未收录',
  'unread.state_empty': '没有记录',
  'unread.said': '这个文件没有收进任何记录：{reason}',
  'unread.no_rows': '里面没有一行数据。',
  'unread.what_to_do': '请下载这张表的填报模板，核对表头那一行和数据行，改好后重新上报。',
  'unread.template': '下载填报模板',
  'unread.again': '重新上报',
  'unread.none': '没有收进任何记录',
  'unread.none_hint': '没有一行数据进入检查，所以也没有错误记录可看。',
} as const
