//! What can go wrong at the door, and what the person is told.

use axum::http::StatusCode;
use mj_kernel::Role;
use mj_kernel::second_person::Bar;
use mj_web::Problem;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Platform(#[from] mj_platform::Error),
    /// One answer for unknown login, wrong password, disabled and locked: it tells nothing apart.
    #[error("登录名或密码不正确")]
    NotAccepted,
    #[error("动态口令或恢复码不正确")]
    CodeNotAccepted,
    #[error("还需要动态口令")]
    CodeNeeded,
    #[error("没有等候动态口令的登录")]
    NotWaiting,
    #[error("还没有领取动态口令密钥")]
    NothingOffered,
    #[error("动态口令：{0}")]
    SecondFactor(String),
    #[error("等候验证密码的人太多")]
    Busy,
    #[error("密码不合要求：{0}")]
    WeakPassword(String),
    /// An officer without a certificate that holds.
    #[error("执法证：{0}")]
    Certificate(String),
    /// The profile asks for a new one from time to time.
    #[error("密码已到期")]
    PasswordExpired,
    /// Administrators who have not taken up their accounts: nothing works without all three.
    #[error("平台还没有启用完毕")]
    NotSetUp(Vec<Role>),
    #[error("一次性启用码无效")]
    InvalidCode,
    /// One answer for wrong halves, a used or replaced code and none at all.
    #[error("应急启用码不正确")]
    EmergencyRefused,
    #[error("{field}：{reason}")]
    Invalid { field: &'static str, reason: &'static str },
    /// A rule of the separation of duties.
    #[error("{0}")]
    Separation(&'static str),
    /// What is asked for does not fit how the thing stands now.
    #[error("{0}")]
    NotNow(&'static str),
    /// A new code for an account in use is not one person's to give.
    #[error("重新发放启用码须经批准")]
    ResetNeedsTwo,
    #[error("没有这个{0}")]
    Missing(&'static str),
    #[error("规则表缺少或读不了：{0}")]
    Rules(String),
    #[error("密码散列失败：{0}")]
    Hash(String),
    #[error("来源 {0} 的令牌不能发放：该来源已停用")]
    SourceDisabled(String),
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Why a request that takes two cannot be decided; `own` is said to whoever asked.
    pub(crate) fn barred(bar: Bar, own: &'static str) -> Self {
        match bar {
            Bar::Own => Self::Separation(own),
            Bar::Expired => Self::NotNow("申请已过期，请重新提出。"),
            Bar::Decided => Self::NotNow("申请已经有结果。"),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error.into(),
            Error::NotAccepted => {
                Problem::new(StatusCode::UNAUTHORIZED, "access.not_accepted", "登录名或密码不正确")
                    .detail("连续 5 次不正确将锁定 10 分钟，再犯加倍，至多 24 小时；忘记密码或急需解锁请联系系统管理员。")
            }
            Error::CodeNotAccepted => Problem::new(
                StatusCode::UNAUTHORIZED,
                "access.code_not_accepted",
                "动态口令或恢复码不正确",
            )
            .detail("每个动态口令只能用一次，请等手机上换出下一个再输入；连续 5 次不正确将锁定 10 分钟，再犯加倍。"),
            Error::CodeNeeded => Problem::invalid("access.code_needed", "还需要动态口令")
                .field("totp", "请输入手机上显示的 6 位数字"),
            Error::NotWaiting => Problem::session_required(),
            Error::NothingOffered => {
                Problem::conflict("access.nothing_offered", "请先领取动态口令密钥，再输入口令")
            }
            Error::Busy => Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "access.busy",
                "登录的人太多，请稍后重试",
            ),
            Error::WeakPassword(reason) => {
                Problem::invalid("access.weak_password", "密码不合要求").field("password", reason)
            }
            Error::Certificate(said) => {
                Problem::forbidden("access.certificate", "执法证不允许办理此事").detail(said)
            }
            Error::PasswordExpired => Problem::forbidden("access.password_expired", "密码已到期，请先修改密码")
                .detail("按密码规则，密码须定期更换。请在“我的账号”里换一个新密码，换好后可以继续办理。"),
            Error::NotSetUp(missing) => {
                let missing: Vec<&str> = missing.into_iter().map(Role::title).collect();
                let said = format!(
                    "还没有启用账号的管理员：{}。请各位管理员用首次启动时打印的一次性启用码，在“启用账号”页设置密码；\
                     三位管理员都启用之后才能办理其他事情。",
                    missing.join("、")
                );
                Problem::forbidden("access.not_set_up", "平台还没有启用完毕").detail(said)
            }
            Error::InvalidCode => Problem::invalid("access.invalid_code", "一次性启用码无效")
                .detail("启用码有误、已经用过，或与登录名不符。"),
            Error::EmergencyRefused => Problem::new(
                StatusCode::UNAUTHORIZED,
                "access.emergency_refused",
                "应急启用码不正确",
            )
            .detail("两份之中有误、已经用过，或没有封存；多次不正确会暂停此网络的尝试。请核对两份启用码后再试。"),
            Error::Invalid { field, reason } => {
                Problem::invalid("access.invalid", "填写有误").field(field, reason)
            }
            Error::Separation(reason) => {
                Problem::conflict("access.separation", "违反权限分离规则").detail(reason)
            }
            Error::NotNow(reason) => {
                Problem::conflict("access.not_now", "现在不能这样办").detail(reason)
            }
            Error::ResetNeedsTwo => {
                Problem::conflict("access.reset_not_approved", "重新发放启用码须先经安全管理员批准")
                    .detail("账号已经启用过，或已有须两人授予的角色。请在账号页面申请重新发放，由安全管理员批准后再领取启用码。")
            }
            Error::Missing(_) => Problem::not_found(),
            Error::SourceDisabled(_) => {
                Problem::conflict("access.source_disabled", "该来源已停用，不能发放令牌")
            }
            Error::Hash(_) | Error::SecondFactor(_) | Error::Rules(_) => Problem::internal(&error),
        }
    }
}
