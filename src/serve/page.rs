//! The page for people: the same [`View`] that `akv-agent status` prints, without scripts and without anything
//! from elsewhere.

use crate::view::{COLUMNS, View};
use std::fmt::{self, Write as _};

/// The page may use its own style and nothing else, and nobody may frame it. The hash is that of [`STYLE`].
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; \
     style-src 'sha256-EHAgw0S7FcuIjhofiMpLestb2RoGU3IZzJ5Nl8xn//E='; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = "\
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}\
body{margin:2rem auto;max-width:75rem;padding:0 1rem}\
h1{font-size:1.4rem;font-weight:600}\
h2{font-size:1.1rem;font-weight:600;margin-top:2rem}\
table{border-collapse:collapse;display:block;overflow-x:auto}\
th,td{border-bottom:1px solid #8885;padding:.3rem .8rem .3rem 0;text-align:left;vertical-align:top}\
th{font-weight:600}\
td{font-variant-numeric:tabular-nums}\
.ready{color:#187a33}\
.wrong{color:#c4291c}\
@media(prefers-color-scheme:dark){.ready{color:#5fc97c}.wrong{color:#ff8a7a}}";

/// The other answers, each with what it is.
const LINKS: [(&str, &str); 4] = [
    ("/v1/status", "all of this as JSON"),
    ("/metrics", "metrics"),
    ("/livez", "whether the agent works"),
    ("/readyz", "whether the first complete set is out"),
];

/// The page as HTML.
pub(super) struct Page<'a>(pub(super) &'a View);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0;
        let title = Escaped(&view.title);
        write!(
            f,
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <title>akv-agent: {title}</title>\n<style>{STYLE}</style>\n<h1>akv-agent: {title}</h1>\n"
        )?;
        let class = if view.ready { "ready" } else { "wrong" };
        writeln!(f, "<p class=\"{class}\">{}</p>", Escaped(view.readiness()))?;
        list(f, "Problems", "wrong", &view.problems)?;
        f.write_str("<h2>State</h2>\n<table>\n")?;
        for (name, fact) in &view.facts {
            writeln!(f, "<tr><th scope=\"row\">{}<td>{}", Escaped(name), Escaped(fact))?;
        }
        f.write_str("</table>\n<h2>Variables</h2>\n<table>\n<tr>")?;
        COLUMNS.iter().try_for_each(|column| write!(f, "<th scope=\"col\">{}", Escaped(column)))?;
        f.write_char('\n')?;
        for row in &view.variables {
            f.write_str("<tr>")?;
            row.iter().try_for_each(|cell| write!(f, "<td>{}", Escaped(cell)))?;
            f.write_char('\n')?;
        }
        f.write_str("</table>\n")?;
        list(f, "Left out by envFrom", "skipped", &view.skipped)?;
        f.write_str("<h2>More</h2>\n<ul>\n")?;
        for (path, what) in LINKS {
            writeln!(f, "<li><a href=\"{path}\">{path}</a>: {what}")?;
        }
        f.write_str("</ul>\n</html>\n")
    }
}

/// A heading and a list, or nothing.
fn list(f: &mut fmt::Formatter<'_>, heading: &str, class: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "<h2>{heading}</h2>\n<ul class=\"{class}\">")?;
    lines.iter().try_for_each(|line| writeln!(f, "<li>{}", Escaped(line)))?;
    f.write_str("</ul>\n")
}

/// Text that stays text, in an element and in a quoted attribute.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64, Encoding};
    use ring::digest::{SHA256, digest};

    /// In every text of a view, to see where it ends up.
    const EVIL: &str = "<script>alert('x')</script>\" onload=\"a&b";

    fn page(view: &View) -> String {
        Page(view).to_string()
    }

    fn evil() -> View {
        View {
            title: EVIL.into(),
            ready: true,
            facts: vec![("mount", EVIL.into())],
            variables: vec![std::array::from_fn(|_| EVIL.to_owned())],
            problems: vec![EVIL.into()],
            skipped: vec![EVIL.into()],
        }
    }

    #[test]
    fn no_text_becomes_markup() {
        let page = page(&evil());
        let escaped = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;a&amp;b";
        // Title twice, fact, cells, problem, left out.
        assert_eq!(page.matches(escaped).count(), 2 + 1 + COLUMNS.len() + 1 + 1, "{page}");
        assert!(!page.contains("<script") && !page.contains("\" onload"), "{page}");
    }

    #[test]
    fn nothing_is_loaded_from_anywhere_and_nothing_runs() {
        let page = page(&evil());
        for sign in ["src=", "http:", "https:", "url(", "@import", "style=", "<link", "<form", "javascript:"]
        {
            assert!(!page.contains(sign), "{sign} in {page}");
        }
        for (path, _) in LINKS {
            assert!(page.contains(&format!("<a href=\"{path}\">")), "{path}");
        }
    }

    #[test]
    fn the_policy_allows_the_style_that_is_there() {
        let hash = Base64::encode_string(digest(&SHA256, STYLE.as_bytes()).as_ref());
        assert!(CONTENT_SECURITY_POLICY.contains(&format!("style-src 'sha256-{hash}'")), "{hash}");
    }

    #[test]
    fn it_says_whether_the_agent_is_ready_and_what_is_wrong_only_if_something_is() {
        let mut view = evil();
        assert!(page(&view).contains("<p class=\"ready\">ready</p>"));
        view.ready = false;
        assert!(page(&view).contains("<p class=\"wrong\">not ready"));
        (view.problems, view.skipped) = (Vec::new(), Vec::new());
        assert!(!page(&view).contains("<h2>Problems") && !page(&view).contains("<h2>Left out"));
    }
}
