// title: Run the cluster
// goal: find a case in which synchronous halving is idle for more than half of its time, and yet chooses the better network.
// takeaway: Waiting is what synchronous halving pays for comparing all trials of a rung; asynchronous halving never waits, and pays by sending trials on before all their rivals are there.
// uses: d3
// values: draws, lengths
nnperf.lab("run_the_cluster", (lab) => {
  const { kit } = nnperf;
  // of each draw its trials: scores after 1, 3, 9 and 27 epochs, and the test accuracy
  const { draws, lengths } = lab.data;
  const RUNGS = [1, 3, 9, 27];
  const FACTOR = 3;
  const TRIALS = 27; // of synchronous halving
  const counts = [2, 4, 8];
  const options = Object.fromEntries(Object.keys(lengths).map((name) => [name, name]));
  lab.slider("workers", { label: "Workers", values: counts, start: 4 });
  lab.choice("lengths", { label: "An epoch takes", options });
  lab.toggle("crash", { label: "worker 1 dies in its first training" });
  lab.count("draw", draws.length - 1);
  lab.buttons({
    "Other trials": () => lab.set({ draw: (lab.state.draw + 1) % draws.length }),
  });
  const plots = [lab.plot({ height: 220 }), lab.plot({ height: 220 })];
  const table = lab.add(kit.h("div"));
  const percent = (v) => `${kit.number(Math.round(1000 * v) / 10)}%`;

  /** Run jobs on workers until there are none; return each with its times. */
  function run(clock, nextJob, finished = () => {}, until = Infinity) {
    const idle = [...clock.alive].sort((a, b) => a - b);
    const again = [];
    const events = []; // jobs that run, and deaths that will be noticed
    const before = (a, b) => a.when - b.when || a.order - b.order;
    for (;;) {
      while (idle.length) {
        const found = again.length ? again.shift() : nextJob();
        if (!found) break;
        const worker = idle.shift();
        const { trial, rung } = found;
        const epochs = RUNGS[rung] - (rung ? RUNGS[rung - 1] : 0);
        const length = epochs * clock.seconds[trial];
        const dies = clock.crash && worker === 0 && clock.alive.has(0);
        if (dies) clock.alive.delete(0);
        const end = clock.now + (dies ? length / 2 : length);
        const job = { worker, trial, rung, begin: clock.now, end, lost: dies };
        clock.jobs.push(job);
        const when = dies ? end + clock.noticed : end;
        events.push({ when, order: clock.jobs.length, job });
        events.sort(before);
      }
      if (!events.length || events[0].when > until) return;
      const { when, job } = events.shift();
      clock.now = when;
      if (job.lost) {
        again.push(job);
        continue;
      }
      finished(job);
      idle.push(job.worker);
      idle.sort((a, b) => a - b);
    }
  }

  function clockOf(seconds) {
    const { workers, crash } = lab.state;
    const alive = new Set(Array.from({ length: workers }, (_, i) => i));
    const mean = seconds.reduce((a, b) => a + b, 0) / seconds.length;
    // a death is noticed after as long as a whole training takes on average
    return { seconds, crash, noticed: 27 * mean, alive, jobs: [], now: 0 };
  }

  function synchronous(trials, seconds) {
    const clock = clockOf(seconds);
    let left = Array.from({ length: TRIALS }, (_, i) => i);
    RUNGS.forEach((_, rung) => {
      const waiting = [...left];
      run(clock, () => waiting.length && { trial: waiting.shift(), rung });
      const most = Math.max(1, Math.floor(left.length / FACTOR));
      left = best(left, trials, rung).slice(0, most);
    });
    clock.end = Math.max(...clock.jobs.filter((j) => !j.lost).map((j) => j.end));
    return clock;
  }

  function asynchronous(trials, seconds, until) {
    const clock = clockOf(seconds);
    const there = RUNGS.map(() => []);
    const gone = RUNGS.map(() => new Set());
    let fresh = 0;
    const nextJob = () => {
      for (let rung = RUNGS.length - 2; rung >= 0; rung--) {
        const allowed = Math.floor(there[rung].length / FACTOR);
        for (const trial of best(there[rung], trials, rung).slice(0, allowed))
          if (!gone[rung].has(trial)) {
            gone[rung].add(trial);
            return { trial, rung: rung + 1 };
          }
      }
      return fresh < trials.length ? { trial: fresh++, rung: 0 } : null;
    };
    run(clock, nextJob, (job) => there[job.rung].push(job.trial), until);
    clock.end = until;
    return clock;
  }

  const best = (list, trials, rung) =>
    [...list].sort((a, b) => trials[b][rung] - trials[a][rung]); // of equals the first

  /** Return the trial that is the best at the highest rung reached. */
  function chosen({ jobs, end }, trials) {
    const done = jobs.filter((j) => j.end <= end && !j.lost);
    const top = Math.max(...done.map((j) => j.rung));
    const there = done.filter((j) => j.rung === top).map((j) => j.trial);
    return there.reduce((a, b) => (trials[b][top] > trials[a][top] ? b : a));
  }

  /** Return what is idle of the workers' time; what is lost counts as idle. */
  function idleShare({ jobs, end }) {
    const busy = jobs
      .filter((j) => !j.lost)
      .reduce((sum, j) => sum + Math.min(j.end, end) - j.begin, 0);
    return 1 - busy / (lab.state.workers * end);
  }

  function drawn(plot, { jobs, end }, title) {
    const { workers } = lab.state;
    const named = kit.linspace(1, workers, Math.min(workers, 4)).map(Math.round);
    plot.frame(
      { domain: [0, end], label: "time, in epochs of an average trial" },
      { domain: [workers + 0.6, 0.4], label: title, ticks: [...new Set(named)] },
    );
    const box = (j) => [j.begin, Math.min(j.end, end), j.worker + 0.62, j.worker + 1.38];
    RUNGS.forEach((epochs, rung) => {
      const here = jobs.filter((j) => j.rung === rung && !j.lost);
      plot.boxes(`rung${rung} nnp-bar nnp-c${rung + 1}`, here.map(box));
    });
    plot.boxes("lost nnp-bar nnp-muted", jobs.filter((j) => j.lost).map(box));
  }

  lab.draw(() => {
    const trials = draws[lab.state.draw];
    const seconds = lengths[lab.state.lengths];
    const waits = synchronous(trials, seconds);
    const never = asynchronous(trials, seconds, waits.end);
    drawn(plots[0], waits, "synchronous: worker");
    drawn(plots[1], never, "asynchronous: worker");
    const told = [waits, never].map((clock) => {
      const began = new Set(clock.jobs.map((j) => j.trial)).size;
      return { idle: idleShare(clock), began, test: trials[chosen(clock, trials)][4] };
    });
    const row = (name, { idle, began, test }) => [
      name,
      percent(idle),
      `${began}`,
      percent(test),
    ];
    table.replaceChildren(
      kit.table(
        ["halving", "idle", "trials begun", "test accuracy of its choice"],
        [row("synchronous", told[0]), row("asynchronous", told[1])],
      ),
    );
    lab.reached(told[0].idle > 0.5 && told[0].test > told[1].test);
    return (
      "Each bar trains one trial to its next rung: 1 epoch, 3, 9, 27 in four colors; gray is " +
      `lost. Synchronous halving is over after ${kit.number(waits.end)} and was idle for ` +
      `${percent(told[0].idle)} of its workers' time, asynchronous halving for ` +
      `${percent(told[1].idle)}. Test accuracy of their choices: ${percent(told[0].test)} and ` +
      `${percent(told[1].test)}.`
    );
  });
});
