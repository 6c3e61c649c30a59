"""MongoDB: how runs lie there.

The layout is Sacred's, so that Omniboard and queries written for PyMARL work:

`runs`, one document per session of a run (a resumed run has several):
    `_id`: a number, counted up over the whole database.
    `meta.run_folder`, `meta.session`: the run folder's name and 1, 2, ...: what the sessions of one run share and
        what tells them apart; with `start_time` they identify a document, and a unique index keeps it single.
        `meta.typed_command`, `meta.environment` and `meta.earlier_seconds` (running time of the sessions before).
    `config`: every key of config.yaml with its type, nested only under `env_args`; `common_reward` and
        `reward_scalarisation` at the top besides, for EPyMARL's readers.
    `status`: RUNNING, COMPLETED, INTERRUPTED, TERMINATED, DIVERGED or FAILED (then with `fail_trace`).
    `start_time`, `stop_time`, `heartbeat`: UTC, in milliseconds. `result`: the last win rates and returns.
    `host`, `experiment` (`name` is the method), `command`, `captured_out` (empty: console.log is an artifact).
    `experiment.repositories`, `mainfile`, `dependencies`, and `sources`: [[name, file_id]], the files of the run's
        components. `info.<metric>` and `info.<metric>_T`: values and steps as PyMARL's logger has them, thinned so that
        the document keeps far below MongoDB's 16 MB (see `cohort.recording.info`).
    `info.metrics`: [{name, id}], `id` being the `_id` of a document in `metrics`, as text.
    `artifacts`: [{name, file_id}]: console.log, metrics.jsonl, curve.png and provenance.json, in GridFS.
`metrics`, one document per session and metric:
    `run_id`, `name`, and the arrays `steps` (environment steps), `values` (floats, also NaN and infinities) and
    `timestamps` (`start_time` plus the running time since). A session starts with what the sessions before it
    logged, so that its curves are whole. Nothing is thinned below `MAX_POINTS` points (see `session`).
`fs.files`, `fs.chunks`: GridFS; names are `artifact://runs/<_id>/<name>`, `metadata.sha256` is the content's hash.

    db.runs.find({"config.mixer": "qmix", "config.env_args.map_name": "3m", status: "COMPLETED"})
    db.metrics.findOne({run_id: 7, name: "test_return_mean"})
"""
