//! The national list of 58 supervision departments: the first two digits of an item code.

/// One line department.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Department {
    pub code: String,
    pub short: String,
    pub name: String,
}

/// In the order of their codes.
#[derive(Debug)]
pub struct Departments(Vec<Department>);

impl Departments {
    pub(super) fn read(text: &str) -> Self {
        let list = text
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut fields = line.split(',').map(str::to_owned);
                Some(Department {
                    code: fields.next()?,
                    short: fields.next()?,
                    name: fields.next()?,
                })
            })
            .collect();
        Self(list)
    }

    pub fn get(&self, code: &str) -> Option<&Department> {
        let at = self.0.binary_search_by(|d| d.code.as_str().cmp(code)).ok()?;
        Some(&self.0[at])
    }

    pub fn iter(&self) -> impl Iterator<Item = &Department> {
        self.0.iter()
    }
}
