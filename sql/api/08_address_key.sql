-- By which form of it an address is known among the suppressions: e-mail in lower case, phone numbers without their ornaments.
create or replace function carillon.address_key(p_channel carillon.channel, p_address text) returns text
  language sql immutable parallel safe
as $$
  select case
    when p_channel = 'email' then lower(p_address)
    when p_channel in ('sms', 'voice') then regexp_replace(p_address, '[^0-9+]', '', 'g')
    else p_address end
$$;
grant execute on function carillon.address_key(carillon.channel, text) to carillon_api, carillon_worker;
