//! What people see while the demo works: two bars on stderr.

use crate::output::Output;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// How many times [`Progress::phase`] is called before the first payment.
const PHASES: u64 = 6;

/// Two bars for people at a terminal, lines for a log, nothing for programs.
#[derive(Debug)]
pub struct Progress {
    setup: ProgressBar,
    payments: ProgressBar,
    lines: Option<Output>,
}

impl Progress {
    /// For so many steps.
    pub fn new(output: Output, steps: usize) -> Progress {
        let people = !output.is_json();
        let terminal = std::io::stderr().is_terminal();
        let target = if people { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bars = MultiProgress::with_draw_target(target);
        let style = ProgressStyle::with_template("{prefix:<8} {bar:24.cyan/dim} {pos}/{len}  {msg}")
            .expect("the template is valid");
        let bar = |name: &'static str, length| {
            let bar = bars.add(ProgressBar::new(length).with_style(style.clone()).with_prefix(name));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        };
        let steps = u64::try_from(steps).expect("a handful");
        Progress {
            setup: bar("set up", PHASES),
            payments: bar("payments", steps),
            lines: (people && !terminal).then_some(output),
        }
    }

    /// Shows what is done while it is done.
    pub async fn phase<T, E>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.show(&self.setup, what, work).await
    }

    /// The same for a step of the demo.
    pub async fn step<T, E>(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.setup.set_message("ready");
        self.show(&self.payments, what, work).await
    }

    async fn show<T, E>(
        &self,
        bar: &ProgressBar,
        what: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        bar.set_message(what);
        if let Some(output) = self.lines {
            output.progress(what);
        }
        let done = work.await?;
        bar.inc(1);
        Ok(done)
    }

    /// Takes the bars off the screen.
    pub fn clear(&self) {
        self.setup.finish_and_clear();
        self.payments.finish_and_clear();
    }
}
