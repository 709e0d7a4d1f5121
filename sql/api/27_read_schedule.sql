-- Judge when a request is to be sent, and give it as intents hold it; the rules are those of src/pipeline/accept/schedule-rules.ts.
--   {"delay": seconds, "localTime": "HH:MM", "timezone": IANA, "sendWindow": {"startTime", "endTime", "timezone", "days"}}
-- Raises 22023 with the COLUMN schedule.
-- Called by: carillon.notify.
create or replace function carillon.read_schedule(p_schedule jsonb) returns jsonb
  language plpgsql stable
as $$
declare
  given jsonb := case when jsonb_typeof(p_schedule) = 'object' then jsonb_strip_nulls(p_schedule) else '{}' end;
  span jsonb := given -> 'sendWindow';
  time_of_day text := '^([01]\d|2[0-3]):[0-5]\d$';
  fault text;
begin
  fault := case
    when jsonb_typeof(p_schedule) <> 'object' then 'must be a JSON object'
    when given - '{delay,localTime,timezone,sendWindow}'::text[] <> '{}' then 'takes delay, localTime, timezone and sendWindow'
    when not given ?| '{delay,localTime,sendWindow}' then 'needs delay, localTime or sendWindow'
    when given ? 'delay' and jsonb_typeof(given -> 'delay') <> 'number' then 'delay must be a whole number of seconds'
    when (given ->> 'delay')::numeric not between 0 and 366 * 86400 or (given ->> 'delay')::numeric % 1 <> 0
      then 'delay must be whole seconds, at most 366 days'
    when given ? 'localTime' and (given ->> 'localTime') !~ time_of_day then 'localTime must be a time of day as HH:MM'
    when given ? 'timezone' and not given ? 'localTime' then 'timezone is for localTime, which is missing'
    when given ? 'timezone' and not carillon.is_time_zone(given ->> 'timezone') then 'timezone is not an IANA time zone'
    when span is null then null
    when jsonb_typeof(span) <> 'object' then 'sendWindow must be a JSON object'
    when span - '{startTime,endTime,timezone,days}'::text[] <> '{}' then 'sendWindow takes startTime, endTime, timezone and days'
    when coalesce((span ->> 'startTime') !~ time_of_day or (span ->> 'endTime') !~ time_of_day, true)
      then 'startTime and endTime of sendWindow must be times of day as HH:MM'
    when span ->> 'startTime' = span ->> 'endTime' and not span ? 'days'
      then 'sendWindow must not end when it begins, but for whole days, which name them'
    when span ? 'timezone' and not carillon.is_time_zone(span ->> 'timezone') then 'timezone of sendWindow is not an IANA time zone'
    when span ? 'days' and not jsonb_path_exists(span, 'strict $.days ? (@.type() == "array" && @.size() > 0 && @.size() <= 7)')
      then 'days of sendWindow must be 1 to 7 numbers'
    when jsonb_path_exists(span, 'lax $.days[*] ? (@.type() != "number" || @ < 0 || @ > 7 || @.floor() != @)') then 'days of sendWindow must be 1 (Monday) to 7 (Sunday)'
  end;
  if fault is not null then
    raise exception 'carillon.notify: schedule %', fault using errcode = 'invalid_parameter_value', column = 'schedule';
  end if;
  return given - 'delay' || case when given ? 'delay' then jsonb_build_object('delayMs', ((given ->> 'delay')::numeric * 1000)::bigint) else '{}' end;
end
$$;
