"""Self-contained HTML reports of runs, studies, comparisons and audits, made from their files."""
