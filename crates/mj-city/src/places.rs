//! 枣庄's districts and towns as the register of divisions has them, with names of streets and rough coordinates.

use chrono::NaiveDate;
use mj_standard::register::divisions;

use crate::CityError;
use crate::dice::Dice;

pub(crate) const CITY: &str = "370400";
pub(crate) const CITY_NAME: &str = "枣庄市";
pub(crate) const TENGZHOU: &str = "370481";
pub(crate) const ZONE: &str = "370471";

/// One county-level place.
pub(crate) struct Place {
    pub code: &'static str,
    /// As it stands in names of bodies and addresses: 薛城区, 滕州市, 高新区.
    pub name: &'static str,
    /// The statutory division whose code appears inside credit codes and addresses.
    pub statutory: &'static str,
    /// Short form in document numbers.
    pub short: &'static str,
    pub towns: Vec<&'static str>,
    roads: &'static [&'static str],
    pub weight: u32,
    lon: f64,
    lat: f64,
}

struct Raw(&'static str, &'static str, &'static str, u32, f64, f64, &'static [&'static str]);

const PLACES: [Raw; 7] = [
    Raw(
        "370402",
        "370402",
        "中",
        22,
        117.56,
        34.86,
        &[
            "文化中路",
            "光明大道",
            "解放北路",
            "君山中路",
            "龙头中路",
            "建设中路",
            "青檀北路",
            "胜利西路",
            "人民路",
            "振兴路",
            "汇泉路",
            "西昌路",
        ],
    ),
    Raw(
        "370403",
        "370403",
        "薛",
        18,
        117.26,
        34.80,
        &[
            "永福中路",
            "泰山南路",
            "珠江路",
            "燕山路",
            "黄河路",
            "临山路",
            "祁连山路",
            "民生路",
            "德仁路",
            "长白山路",
            "海河路",
            "和谐路",
        ],
    ),
    Raw(
        "370404",
        "370404",
        "峄",
        10,
        117.59,
        34.77,
        &["坛山中路", "承水中路", "仙坛路", "宏学路", "福兴路", "榴园路", "峄州路", "徐楼路"],
    ),
    Raw(
        "370405",
        "370405",
        "台",
        9,
        117.73,
        34.56,
        &["金河路", "长安路", "运河大道", "兴中路", "文化路", "箭道街", "华兴路", "广进路"],
    ),
    Raw(
        "370406",
        "370406",
        "山",
        9,
        117.46,
        35.10,
        &["府前路", "北京路", "汉诺路", "新源路", "银光路", "世纪大道", "抱犊崮路", "香港街"],
    ),
    Raw(
        "370481",
        "370481",
        "滕",
        26,
        117.16,
        35.08,
        &[
            "善国中路",
            "学院中路",
            "荆河中路",
            "龙泉北路",
            "北辛中路",
            "塔寺路",
            "杏坛路",
            "益康大道",
            "平行路",
            "大同路",
            "解放路",
            "通盛路",
        ],
    ),
    Raw(
        ZONE,
        "370403",
        "高",
        6,
        117.30,
        34.83,
        &["复元三路", "兴城路", "广润路", "神工路", "宁波路", "天安一路"],
    ),
];

pub(crate) fn places(today: NaiveDate) -> Result<Vec<Place>, CityError> {
    PLACES
        .iter()
        .map(|&Raw(code, statutory, short, weight, lon, lat, roads)| {
            let name = match code {
                ZONE => "高新区",
                _ => divisions().name(code).ok_or(CityError::Reference(code))?,
            };
            let mut towns: Vec<&'static str> =
                divisions().children(statutory, today).iter().map(|town| town.name).collect();
            if code == ZONE {
                // the zone looks after three towns of its host
                towns.retain(|name| ["兴仁街道", "兴城街道", "张范街道"].contains(name));
            }
            if towns.is_empty() {
                return Err(CityError::Reference(code));
            }
            Ok(Place { code, name, statutory, short, towns, roads, weight, lon, lat })
        })
        .collect()
}

impl Place {
    /// An address with its town: the town comes first of the two returned.
    pub fn address(&self, dice: &mut Dice) -> (&'static str, String) {
        let town = *dice.pick(&self.towns);
        let statutory = divisions().name(self.statutory).unwrap_or(self.name);
        let number = dice.between(1, 699);
        let mut text = format!("山东省枣庄市{statutory}{town}{}{number}号", dice.pick(self.roads));
        match dice.below(10) {
            0..3 => {
                text.push_str(&format!("{}号楼{}室", dice.between(1, 18), dice.between(101, 2408)))
            }
            3 => text.push_str("沿街商铺"),
            4 => text.push_str(&format!("院内{}栋", dice.between(1, 9))),
            _ => {}
        }
        (town, text)
    }

    pub fn coordinates(&self, dice: &mut Dice) -> (String, String) {
        let mut near = |centre: f64| centre + (dice.below(120_000) as f64 - 60_000.0) / 1e6;
        (format!("{:.6}", near(self.lon)), format!("{:.6}", near(self.lat)))
    }
}
