//! Officers, certificates and coverage as the API shows them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::dossier::TimelineEntry;
use crate::show::ShownField;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OfficerView {
    pub id: String,
    pub version: i64,
    pub register_no: String,
    pub name: String,
    pub org_full_name: Option<String>,
    /// 所属部门的统一社会信用代码；名称与登记的部门不符时为空
    pub agency: Option<String>,
    pub staff_type: Option<String>,
    pub staff_type_title: Option<String>,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub status: String,
    pub standing: String,
    pub standing_title: String,
    /// 最晚到期的可用证件的有效期；没有期限的为空
    pub valid_until: Option<String>,
    pub certificates: Vec<CertificateView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CertificateView {
    pub certificate_no: String,
    pub issue_authority: Option<String>,
    pub law_area: Option<String>,
    pub law_type: Option<String>,
    pub valid_from: Option<String>,
    pub valid_until: Option<String>,
    /// in_use 或 withdrawn
    pub status: String,
    pub standing: String,
    pub standing_title: String,
    /// 现行的暂停
    pub suspension: Option<SuspensionView>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SuspensionView {
    pub from_day: String,
    /// 空值表示到恢复为止
    pub to_day: Option<String>,
    pub reason: String,
    pub suspended_at: String,
    pub suspended_by: String,
    pub lifted_at: Option<String>,
    pub lifted_by: Option<String>,
    pub lift_reason: Option<String>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OfficerSummary {
    pub total: i64,
    pub in_force: i64,
    pub expiring: i64,
    pub expired: i64,
    pub suspended: i64,
    pub withdrawn: i64,
    /// 到期前多少天算即将到期
    pub expiring_days: i64,
    pub basis: String,
    pub day: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AgencyCoverage {
    pub agency: Option<String>,
    pub agency_name: String,
    pub area_number: Option<String>,
    pub area_name: Option<String>,
    pub officers: i64,
    /// 可以办案的人数：有效与即将到期之和
    pub able: i64,
    pub expiring: i64,
    pub expired: i64,
    pub suspended: i64,
    /// 今日有效的检查实施清单所列事项数
    pub items: i64,
    /// 其中因可办案人员不足而无法依法实施的
    pub uncovered_items: i64,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CoverageList {
    pub items: Vec<AgencyCoverage>,
    /// 依法至少几名执法人员
    pub fewest: i64,
    pub basis: String,
    pub day: String,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OfficerFile {
    pub officer: OfficerView,
    /// 个人信息，已遮挡
    pub personal: Vec<ShownField>,
    pub is_supervisor: Option<String>,
    /// 所属部门今日有效的检查实施清单所列事项数
    pub agency_items: i64,
    /// 所属部门可以办案的人数
    pub agency_able: i64,
    pub suspensions: Vec<SuspensionView>,
    /// 当前用户可以暂停、恢复其证件
    pub may_suspend: bool,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OfficerActs {
    pub total: i64,
    pub from: String,
    pub items: Vec<TimelineEntry>,
}
