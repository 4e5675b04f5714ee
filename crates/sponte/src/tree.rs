//! Lines below lines, joined by branches.

/// A line and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    line: String,
    children: Vec<Tree>,
}

impl Tree {
    /// A line alone.
    pub fn new(line: impl Into<String>) -> Tree {
        Tree { line: line.into(), children: vec![] }
    }

    /// Puts a line below.
    pub fn push(&mut self, child: impl Into<Tree>) {
        self.children.push(child.into());
    }

    /// All lines.
    pub fn render(&self) -> String {
        let mut out = self.line.clone();
        self.render_children("", &mut out);
        out
    }

    fn render_children(&self, indent: &str, out: &mut String) {
        for (i, child) in self.children.iter().enumerate() {
            let last = i + 1 == self.children.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            out.push('\n');
            out.push_str(indent);
            out.push_str(branch);
            out.push_str(&child.line);
            child.render_children(&format!("{indent}{below}"), out);
        }
    }
}

impl<T: Into<String>> From<T> for Tree {
    fn from(line: T) -> Tree {
        Tree::new(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches() {
        let mut inner = Tree::new("b");
        inner.push("c");
        inner.push("d");
        let mut root = Tree::new("a");
        root.push(inner);
        root.push("e");
        assert_eq!(root.render(), "a\n├─ b\n│  ├─ c\n│  └─ d\n└─ e");
    }
}
