-- purpose: How many days can a zone play before a track must repeat?
-- param: open_h_per_day real = 12.0 : hours a day in which music plays
-- column: days : days that all its exportable music lasts
-- column: dayparts : dayparts of its cells
-- column: shortest_daypart : the daypart whose music runs out first, the day being divided evenly
-- column: shortest_daypart_days : days that this daypart's music lasts
WITH dayparts AS (
  SELECT zone, daypart, sum(exportable_tracks)::BIGINT AS exportable_tracks, sum(exportable_h) AS exportable_h
  FROM coverage
  GROUP BY zone, daypart
),
zones AS (
  SELECT
    zone,
    sum(exportable_tracks)::BIGINT AS exportable_tracks,
    sum(exportable_h) AS exportable_h,
    count(*) AS dayparts,
    arg_min(daypart, (exportable_h, daypart)) AS shortest_daypart,
    min(exportable_h) AS shortest_h
  FROM dayparts
  GROUP BY zone
)
SELECT
  zone,
  exportable_tracks,
  exportable_h,
  exportable_h / $open_h_per_day AS days,
  dayparts,
  shortest_daypart,
  shortest_h / ($open_h_per_day / dayparts) AS shortest_daypart_days
FROM zones
ORDER BY zone
