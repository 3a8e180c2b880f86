//! What an act is called: actions of routes by their title in the access matrix, the house's own by
//! the list here.

/// Acts of the house itself, which no route has.
const OWN: &[(&str, &str)] = &[
    ("ledger.log.found", "监管日志启用，接管已有数据"),
    ("ledger.log.open", "启用新册"),
    ("ledger.checkpoint.sign", "签署检查点"),
    ("ledger.log.fork", "登记日志分叉，从退回后的状态继续"),
    ("ledger.payload.erase", "依法删除一条日志的办理人、对象和原因"),
    ("ledger.witness.reset", "作为见证方，重新开始见证一份日志"),
    ("registry.mention.resolve", "识别数据中的对象"),
    ("registry.mention.relink", "重新认定对象"),
    ("registry.mention.index", "登记对象名称"),
    ("registry.mention.forget", "撤去没有入库的对象名称"),
    ("registry.party.register", "登记监管对象"),
    ("registry.party.forget", "撤去没有入库的监管对象"),
    ("registry.officer.apply", "更新执法人员"),
    ("catalog.list.apply", "更新事项清单"),
    ("catalog.mapping.set", "登记事项对应"),
    ("datahub.batch.import", "收到批次"),
    ("datahub.batch.run", "开始处理批次"),
    ("datahub.batch.settle", "批次处理完毕"),
    ("datahub.batch.fail", "批次处理失败"),
    ("datahub.batch.refuse", "整个文件没有收录"),
    ("datahub.batch.stop", "导入已停止"),
    ("datahub.batch.push", "收到推送"),
    ("datahub.batch.collect", "收取批次"),
    ("datahub.source.register", "登记数据来源"),
    ("datahub.source.token", "发放来源令牌"),
    ("datahub.repair.apply", "更正数据"),
    ("facts.flush", "整理近期数据"),
    ("facts.commit", "写入数据"),
    ("flow.work_item.receive", "产生待办"),
    ("flow.work_item.settle", "待办自动了结"),
    ("access.enrolment.bootstrap", "首次启动，生成开通代码"),
    ("access.enrolment.reissue", "另发管理员的一次性启用码"),
    ("access.emergency.seal", "封存应急启用码"),
    ("access.decision.refuse", "操作被拒绝"),
    ("access.decision.count", "更新拒绝次数"),
    ("access.decision.forget", "删除过期的拒绝记录"),
    ("access.account.lock", "连续登录失败，锁定账号"),
    ("access.session.replace", "账号在别处登录，结束最早的登录"),
    ("access.password.key", "给已存的密码散列加上密钥"),
    ("evaluation.digest.make", "生成每周简报"),
    ("keys.master.rotate", "更换主密钥"),
    ("keys.class.rotate", "更换一类密钥"),
    ("keys.person.destroy", "销毁个人密钥"),
    ("keys.person.recover", "从备份找回个人密钥"),
    ("backup.take", "备份"),
    ("backup.restore", "从备份恢复"),
    ("portal.data.build", "生成开放数据"),
    ("export.request.ask", "申请导出"),
    ("export.file.take", "导出名单"),
];

pub fn title_of(action: &str) -> String {
    if let Some(title) = mj_access::matrix::title_of(action) {
        return title.to_owned();
    }
    let own = OWN.iter().find(|(name, _)| *name == action);
    own.map_or_else(|| action.to_owned(), |(_, title)| (*title).to_owned())
}

/// The actions whose title holds this text.
pub fn actions_named(text: &str) -> Vec<&'static str> {
    let routes = mj_access::matrix::actions().into_iter();
    let own = OWN.iter().map(|(name, _)| *name);
    routes.chain(own).filter(|action| title_of(action).contains(text)).collect()
}
