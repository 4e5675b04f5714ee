//! `sponte audit`

use crate::context::Context;
use crate::failure::{CommandResult, Done};
use crate::output::table;
use crate::show;
use sponte_api::{AuditReport, Code};

/// Asks the node for a check of its books; an unclean one has an exit code of its own.
pub async fn execute(context: &Context) -> CommandResult {
    let node = context.node()?;
    let report = node.client.audit().await.map_err(|error| node.failure(error))?;
    context.output.answer(&report, words);
    if report.clean {
        return Ok(Done::Well);
    }
    context.output.progress("error: the books do not agree; keep the folder and report what was found");
    Ok(Done::Told(Code::AuditFailed))
}

fn words(report: &AuditReport) -> String {
    let rows = report
        .accounts
        .iter()
        .map(|row| vec![signed(row.posted_msat), signed(row.pending_msat), row.account.clone()]);
    let mut text = table(&["posted sat", "pending sat", "account"], rows);
    text.push_str("\n\n");
    match report.clean {
        true => text.push_str(&format!(
            "clean: the accounts sum to zero, and {} channels agree with theirs",
            report.channels_checked
        )),
        false => {
            let lines: Vec<_> = report.findings.iter().map(|finding| finding.message.as_str()).collect();
            text.push_str(&format!("not clean:\n{}", lines.join("\n")));
        }
    }
    text
}

/// Signed satoshi with three decimal places, so that a column lines up.
fn signed(msat: i64) -> String {
    let sign = if msat < 0 { "-" } else { "" };
    let size = msat.unsigned_abs();
    format!("{sign}{}.{:03}", show::grouped(size / 1000), size % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_amounts() {
        assert_eq!(signed(-1), "-0.001");
        assert_eq!(signed(1_234_567), "1,234.567");
        assert_eq!(signed(i64::MIN), "-9,223,372,036,854,775.808");
    }
}
