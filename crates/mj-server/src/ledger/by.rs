//! By whom an act was done, in kinds: the page of the log filters by them and the monthly report counts by them, so
//! both must draw the line in the same place. An act belongs to one kind alone: the first that fits.

/// Kind, title, and what the journal's row (`j`) must fulfil.
const KINDS: [(&str, &str, &str); 11] = [
    ("erased", "办理人已依法删除", "j.salt IS NULL"),
    ("system", "系统按规则办理", "j.actor LIKE 'system:%'"),
    ("source", "数据来源的接口", "j.actor LIKE 'source:%'"),
    ("emergency", "应急启用", "j.actor LIKE 'emergency:%'"),
    ("anonymous", "未登录", "j.actor = 'anonymous'"),
    ("sys_admin", "系统管理员", "ROLE"),
    ("sec_admin", "安全管理员", "ROLE"),
    ("audit_admin", "审计管理员", "ROLE"),
    (
        "admin",
        "管理员账号，当时没有角色",
        "EXISTS (SELECT 1 FROM account a WHERE a.class = 'admin' AND j.actor = 'account:' || a.id)",
    ),
    ("business", "业务人员", "j.actor LIKE 'account:%'"),
    ("other", "其他", "1 = 1"),
];

pub fn title(kind: &str) -> &'static str {
    KINDS.iter().find(|(name, ..)| *name == kind).map_or("其他", |(_, title, _)| title)
}

/// The kind of the act in `act_journal j`, as SQL.
pub fn sql() -> String {
    let mut sql = String::from("CASE");
    for (kind, _, condition) in KINDS {
        // the role that was held at that moment
        let role = format!(
            "EXISTS (SELECT 1 FROM role_grant g WHERE g.role = '{kind}' \
             AND j.actor = 'account:' || g.account_id AND g.granted_at <= j.at \
             AND (g.revoked_at = 0 OR j.at < g.revoked_at))"
        );
        let condition = if condition == "ROLE" { role.as_str() } else { condition };
        sql.push_str(&format!(" WHEN {condition} THEN '{kind}'"));
    }
    sql + " END"
}
