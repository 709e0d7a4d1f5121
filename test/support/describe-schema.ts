/** The schema of a database as readable, comparable SQL: what `sql/schema.sql` holds. Daily partitions are left out. */
import type pg from 'pg'

const queries: [string, string][] = [
  [
    'types',
    `select format('create type carillon.%I as enum (%s);', t.typname, string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)) as line
     from pg_type t join pg_enum e on e.enumtypid = t.oid where t.typnamespace = 'carillon'::regnamespace group by t.typname order by 1`,
  ],
  [
    'tables',
    `select format(E'create table carillon.%I (\\n%s\\n)%s%s;', c.relname,
       concat_ws(E',\\n',
         (select string_agg(format('  %I %s%s%s', a.attname, format_type(a.atttypid, a.atttypmod),
                   case when a.attnotnull then ' not null' else '' end,
                   coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')), E',\\n' order by a.attnum)
          from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
         (select string_agg(format('  constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\\n' order by k.contype desc, k.conname)
          from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'f'))),
       coalesce(' partition by ' || pg_get_partkeydef(c.oid), ''),
       coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '')) as line
     from pg_class c
     where c.relnamespace = 'carillon'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and c.relname not like 'migrations%'
     order by c.relname`,
  ],
  [
    'hash partitions',
    `select format('-- carillon.%I: %s hash partitions%s', p.relname, count(*), max(coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''))) as line
     from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
     join pg_partitioned_table t on t.partrelid = p.oid
     where p.relnamespace = 'carillon'::regnamespace and p.relkind = 'p' and t.partstrat = 'h' group by p.relname order by p.relname`,
  ],
  [
    'indexes',
    `select pg_get_indexdef(i.indexrelid) || ';' as line
     from pg_index i join pg_class c on c.oid = i.indrelid
     where c.relnamespace = 'carillon'::regnamespace and not c.relispartition and c.relkind in ('r', 'p')
       and c.relname not like 'migrations%'
       and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
     order by 1`,
  ],
  [
    'row level security',
    `select format('create policy %I on carillon.%I for %s to %s%s%s;', p.policyname, p.tablename, lower(p.cmd), array_to_string(p.roles, ', '),
       coalesce(' using (' || p.qual || ')', ''), coalesce(' with check (' || p.with_check || ')', '')) as line
     from pg_policies p where p.schemaname = 'carillon' order by p.tablename, p.policyname`,
  ],
  [
    'views',
    `select format(E'create view carillon.%I%s as\\n%s', c.relname, coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''),
       pg_get_viewdef(c.oid)) as line
     from pg_class c where c.relnamespace = 'carillon'::regnamespace and c.relkind = 'v' order by c.relname`,
  ],
  [
    'functions',
    `select format('create function carillon.%I(%s) returns %s -- %s%s', p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
       case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
       case when p.prosecdef then ' security definer' else '' end) as line
     from pg_proc p where p.pronamespace = 'carillon'::regnamespace order by p.proname, 1`,
  ],
  [
    'grants on tables and views',
    `select format('grant %s on carillon.%I to %s;', string_agg(lower(g.privilege_type), ', ' order by g.privilege_type), g.table_name, g.grantee) as line
     from information_schema.role_table_grants g
     join pg_class c on c.relname = g.table_name and c.relnamespace = 'carillon'::regnamespace and not c.relispartition
     where g.table_schema = 'carillon' and g.grantee like 'carillon\\_%' group by g.table_name, g.grantee order by g.table_name, g.grantee`,
  ],
  [
    'grants on columns',
    `select format('grant %s (%s) on carillon.%I to %s;', lower(g.privilege_type), string_agg(g.column_name, ', ' order by g.column_name), g.table_name, g.grantee) as line
     from information_schema.role_column_grants g
     join pg_class c on c.relname = g.table_name and c.relnamespace = 'carillon'::regnamespace and not c.relispartition
     where g.table_schema = 'carillon' and g.grantee like 'carillon\\_%'
       and not exists (select from information_schema.role_table_grants t where t.table_schema = 'carillon' and t.table_name = g.table_name
                       and t.grantee = g.grantee and t.privilege_type = g.privilege_type)
     group by g.privilege_type, g.table_name, g.grantee order by g.table_name, g.grantee, g.privilege_type`,
  ],
  [
    'grants on functions',
    `select format('grant execute on function carillon.%I to %s;', p.proname, string_agg(distinct r.rolname, ', ' order by r.rolname)) as line
     from pg_proc p cross join lateral aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
     where p.pronamespace = 'carillon'::regnamespace and r.rolname like 'carillon\\_%' group by p.oid, p.proname order by p.proname, 1`,
  ],
]

export async function describeSchema(pool: pg.Pool): Promise<string> {
  const parts = ['-- What the migrations make of an empty database. Written by: npm run schema']
  for (const [title, text] of queries) {
    const { rows } = await pool.query<{ line: string }>(text)
    parts.push(`-- ${title}\n${rows.map((row) => row.line).join('\n')}`)
  }
  return `${parts.join('\n\n')}\n`
}
