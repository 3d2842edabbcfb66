-- Which columns hold what a customer gave: the one list that erasing a customer goes by.

create table private.personal_columns (
  relation text not null,
  column_name text not null,
  erased jsonb not null,
  is_address boolean not null default false,
  constraint personal_columns_pkey primary key (relation, column_name),
  constraint personal_columns_relation_names_its_schema check (relation ~ '^(public|private)\.[a-z_]+$')
);

comment on table private.personal_columns is
  'reference data. A table that hangs on a customer (customer_id, or booking_id) writes its personal columns here, beside its own definition; private.erase_customer then blanks them out in its rows and in the log of them.';
comment on column private.personal_columns.relation is 'schema.table.';
comment on column private.personal_columns.erased is
  'What stands there afterwards, as JSON; {customer_id} in a text is replaced by the customer''s id.';
comment on column private.personal_columns.is_address is
  'Whether it holds an e-mail address: then rows that name one of the customer''s addresses belong to the customer too.';
