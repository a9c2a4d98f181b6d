-- What could not be trusted, the first hundred findings.
SELECT finding, cell, thing, problem, remedy, held_back FROM quarantine ORDER BY cell, finding, thing LIMIT 100
