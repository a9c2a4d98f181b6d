-- A track is in one state at a time.
SELECT track_id, count(*) AS states_now FROM track_history WHERE is_current GROUP BY track_id HAVING states_now > 1
