"""One self-contained HTML page from the files of runs, studies and audits."""
