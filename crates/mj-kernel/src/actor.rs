//! Who acts: a person, a department's system, the house itself, or nobody known.

use serde::{Deserialize, Serialize};

use crate::scope::Scope;

macro_rules! roles {
    ($($variant:ident $name:literal $title:literal),+ $(,)?) => {
        /// The roles of the platform (角色). There is no role that may do everything.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Role { $($variant),+ }

        impl Role {
            pub const ALL: &'static [Role] = &[$(Role::$variant),+];

            /// The stable name, as in contracts and tables.
            pub fn name(self) -> &'static str {
                match self { $(Role::$variant => $name),+ }
            }

            /// What a clerk calls it.
            pub fn title(self) -> &'static str {
                match self { $(Role::$variant => $title),+ }
            }

            pub fn parse(name: &str) -> Option<Role> {
                match name { $($name => Some(Role::$variant),)+ _ => None }
            }
        }
    };
}

roles! {
    Anonymous "anonymous" "公众",
    Enterprise "enterprise" "企业",
    Officer "officer" "执法人员",
    Clerk "clerk" "经办人",
    Reviewer "reviewer" "审核人",
    Leader "leader" "领导",
    DeptAdmin "dept_admin" "部门管理员",
    RegionLeader "region_leader" "地区领导",
    DatahubOperator "datahub_operator" "数据汇聚管理员",
    CatalogueManager "catalogue_manager" "事项管理员",
    Supervisor "supervisor" "监督人员",
    SysAdmin "sys_admin" "系统管理员",
    SecAdmin "sec_admin" "安全管理员",
    AuditAdmin "audit_admin" "审计管理员",
}

/// One role with the part of the world it holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub role: Role,
    pub scope: Scope,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// Nobody signed in.
    Anonymous,
    /// A person with an account.
    Person { account_id: String },
    /// A department's own system, known by its source token.
    Source { cd_source: String },
    /// Two holders who opened the sealed code of an emergency, and nothing else.
    Emergency { seal_id: String },
    /// The house at work: a job, a start-up step, a command on the machine.
    System { component: &'static str },
}

/// Who acts and with which grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub grants: Vec<Grant>,
}

impl Actor {
    pub fn anonymous() -> Self {
        Self { kind: ActorKind::Anonymous, grants: Vec::new() }
    }

    pub fn system(component: &'static str) -> Self {
        Self { kind: ActorKind::System { component }, grants: Vec::new() }
    }

    /// A stable, impersonal name for journals and idempotency keys: `account:…`, `source:…`.
    pub fn reference(&self) -> String {
        match &self.kind {
            ActorKind::Anonymous => "anonymous".into(),
            ActorKind::Person { account_id } => format!("account:{account_id}"),
            ActorKind::Source { cd_source } => format!("source:{cd_source}"),
            ActorKind::Emergency { seal_id } => format!("emergency:{seal_id}"),
            ActorKind::System { component } => format!("system:{component}"),
        }
    }

    pub fn has(&self, role: Role) -> bool {
        self.grants.iter().any(|grant| grant.role == role)
    }
}
