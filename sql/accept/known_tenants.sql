-- Which of these tenants there are: $1 ids. Called by: pipeline/accept/accept-page.ts. Index: tenants_pkey.
select t.id from carillon.tenants t where t.id = any ($1::uuid[])
