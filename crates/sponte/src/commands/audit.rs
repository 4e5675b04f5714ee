//! `sponte audit`

use crate::context::Context;
use crate::failure::{CommandResult, Done};
use crate::output::table;
use crate::show;
use sponte_api::{AuditReport, Code, Verdict};

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
    let rows = report.accounts.iter().map(|row| {
        let pending = row.pending_in_msat.saturating_sub(row.pending_out_msat);
        vec![signed(row.posted_msat), signed(pending), row.account.clone()]
    });
    let mut text = table(&[">posted sat", ">pending sat", "account"], rows);
    text.push('\n');
    for line in &report.lines {
        let mark = match line.verdict {
            Verdict::Agrees => "ok",
            Verdict::Differs => "DIFFERS",
            Verdict::NotNow => "not now",
        };
        text.push_str(&format!("\n{mark:7}  {}", line.text));
    }
    text.push_str(if report.clean { "\n\nclean" } else { "\n\nnot clean" });
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
