-- Why takes are rejected.
SELECT kind, gate, takes, share_of_scored FROM ask_reject_reasons ORDER BY takes DESC, kind, gate
