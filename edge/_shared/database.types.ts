// Generated from sql/ by `make types`. Do not edit.
// deno-lint-ignore-file

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  "public": {
    Tables: {
      "api_key_permissions": {
        Row: {
          "api_key_id": string;
          "organization_id": string;
          "permission_key": string;
        };
        ComputedFields: never;
        Insert: {
          "api_key_id": string;
          "organization_id": string;
          "permission_key": string;
        };
        Update: {
          "api_key_id"?: string;
          "organization_id"?: string;
          "permission_key"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "api_key_permissions_api_key_fkey";
            columns: ["organization_id", "api_key_id"];
            isOneToOne: false;
            referencedRelation: "api_keys";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "api_key_permissions_permission_fkey";
            columns: ["permission_key"];
            isOneToOne: false;
            referencedRelation: "permissions";
            referencedColumns: ["key"];
          },
        ];
      };
      "api_keys": {
        Row: {
          "created_at": string;
          "created_by": string | null;
          "expires_at": string;
          "id": string;
          "last_used_at": string | null;
          "name": string;
          "organization_id": string;
          "prefix": string;
          "revoked_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by"?: string | null;
          "expires_at": string;
          "id"?: string;
          "last_used_at"?: string | null;
          "name": string;
          "organization_id": string;
          "prefix": string;
          "revoked_at"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "last_used_at"?: string | null;
          "name"?: string;
          "organization_id"?: string;
          "prefix"?: string;
          "revoked_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "api_keys_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "api_keys_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "audit_log": {
        Row: {
          "action": "insert" | "update" | "delete";
          "actor_id": string | null;
          "actor_kind": string;
          "after": Json | null;
          "before": Json | null;
          "id": number;
          "occurred_at": string;
          "organization_id": string;
          "request_id": string | null;
          "row_key": string;
          "table_name": string;
        };
        ComputedFields: never;
        Insert: {
          "action": "insert" | "update" | "delete";
          "actor_id"?: string | null;
          "actor_kind": string;
          "after"?: Json | null;
          "before"?: Json | null;
          "id"?: number;
          "occurred_at"?: string;
          "organization_id": string;
          "request_id"?: string | null;
          "row_key": string;
          "table_name": string;
        };
        Update: {
          "action"?: "insert" | "update" | "delete";
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "after"?: Json | null;
          "before"?: Json | null;
          "id"?: number;
          "occurred_at"?: string;
          "organization_id"?: string;
          "request_id"?: string | null;
          "row_key"?: string;
          "table_name"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "audit_log_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "audit_log_personal": {
        Row: {
          "after": Json | null;
          "before": Json | null;
          "id": number;
          "organization_id": string;
          "table_name": string;
        };
        ComputedFields: never;
        Insert: {
          "after"?: Json | null;
          "before"?: Json | null;
          "id": number;
          "organization_id": string;
          "table_name": string;
        };
        Update: {
          "after"?: Json | null;
          "before"?: Json | null;
          "id"?: number;
          "organization_id"?: string;
          "table_name"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "audit_log_personal_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "booking_comments": {
        Row: {
          "body": string;
          "booking_id": string;
          "created_at": string;
          "edited_at": string | null;
          "id": string;
          "organization_id": string;
          "written_by": NonNullable<Json>;
        };
        ComputedFields: never;
        Insert: {
          "body": string;
          "booking_id": string;
          "created_at"?: string;
          "edited_at"?: string | null;
          "id"?: string;
          "organization_id": string;
          "written_by"?: NonNullable<Json>;
        };
        Update: {
          "body"?: string;
          "booking_id"?: string;
          "created_at"?: string;
          "edited_at"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "written_by"?: NonNullable<Json>;
        };
        Relationships: [
          {
            foreignKeyName: "booking_comments_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_contacts": {
        Row: {
          "booking_id": string;
          "contact_name": string;
          "contact_phone": string | null;
          "customer_note": string;
          "fields": NonNullable<Json>;
          "organization_id": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "contact_name": string;
          "contact_phone"?: string | null;
          "customer_note"?: string;
          "fields"?: NonNullable<Json>;
          "organization_id": string;
        };
        Update: {
          "booking_id"?: string;
          "contact_name"?: string;
          "contact_phone"?: string | null;
          "customer_note"?: string;
          "fields"?: NonNullable<Json>;
          "organization_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_contacts_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: true;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_extras": {
        Row: {
          "booking_id": string;
          "extra_id": string;
          "organization_id": string;
          "quantity": number;
          "units": number;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "extra_id": string;
          "organization_id": string;
          "quantity": number;
          "units": number;
        };
        Update: {
          "booking_id"?: string;
          "extra_id"?: string;
          "organization_id"?: string;
          "quantity"?: number;
          "units"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "booking_extras_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "booking_extras_extra_fkey";
            columns: ["organization_id", "extra_id"];
            isOneToOne: false;
            referencedRelation: "extras";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_history": {
        Row: {
          "actor_id": string | null;
          "actor_kind": string;
          "booking_id": string;
          "change": Json | null;
          "from_status": string | null;
          "id": string;
          "occurred_at": string;
          "organization_id": string;
          "reason": string | null;
          "refund": string | null;
          "to_status": string;
        };
        ComputedFields: never;
        Insert: {
          "actor_id"?: string | null;
          "actor_kind": string;
          "booking_id": string;
          "change"?: Json | null;
          "from_status"?: string | null;
          "id"?: string;
          "occurred_at"?: string;
          "organization_id": string;
          "reason"?: string | null;
          "refund"?: string | null;
          "to_status": string;
        };
        Update: {
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "booking_id"?: string;
          "change"?: Json | null;
          "from_status"?: string | null;
          "id"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "reason"?: string | null;
          "refund"?: string | null;
          "to_status"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_history_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_lines": {
        Row: {
          "booking_id": string;
          "description": string;
          "id": string;
          "kind": "base" | "extra" | "discount" | "fee";
          "organization_id": string;
          "position": number;
          "quantity": number;
          "tax_cents": number;
          "tax_rate_bp": number;
          "total_cents": number;
          "unit_cents": number;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "description": string;
          "id"?: string;
          "kind": "base" | "extra" | "discount" | "fee";
          "organization_id": string;
          "position": number;
          "quantity": number;
          "tax_cents": number;
          "tax_rate_bp": number;
          "total_cents": number;
          "unit_cents": number;
        };
        Update: {
          "booking_id"?: string;
          "description"?: string;
          "id"?: string;
          "kind"?: "base" | "extra" | "discount" | "fee";
          "organization_id"?: string;
          "position"?: number;
          "quantity"?: number;
          "tax_cents"?: number;
          "tax_rate_bp"?: number;
          "total_cents"?: number;
          "unit_cents"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "booking_lines_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_mail_problems": {
        Row: {
          "booking_id": string;
          "created_at": string;
          "organization_id": string;
          "problem": "bounced" | "complained" | "failed" | "suppressed" | "limited" | "dead";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "created_at"?: string;
          "organization_id": string;
          "problem": "bounced" | "complained" | "failed" | "suppressed" | "limited" | "dead";
          "updated_at"?: string;
        };
        Update: {
          "booking_id"?: string;
          "created_at"?: string;
          "organization_id"?: string;
          "problem"?: "bounced" | "complained" | "failed" | "suppressed" | "limited" | "dead";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_mail_problems_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: true;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_orders": {
        Row: {
          "created_at": string;
          "currency": string;
          "id": string;
          "organization_id": string;
          "reference": string;
          "source": "widget" | "direct" | "marketplace" | "api";
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "organization_id": string;
          "reference": string;
          "source": "widget" | "direct" | "marketplace" | "api";
        };
        Update: {
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "organization_id"?: string;
          "reference"?: string;
          "source"?: "widget" | "direct" | "marketplace" | "api";
        };
        Relationships: [
          {
            foreignKeyName: "booking_orders_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "booking_people": {
        Row: {
          "booking_id": string;
          "created_at": string;
          "email": string | null;
          "full_name": string;
          "has_paid": boolean;
          "id": string;
          "organization_id": string;
          "phone": string | null;
          "position": number;
          "signature_id": string | null;
          "signed_as": number | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "created_at"?: string;
          "email"?: string | null;
          "full_name": string;
          "has_paid"?: boolean;
          "id"?: string;
          "organization_id": string;
          "phone"?: string | null;
          "position": number;
          "signature_id"?: string | null;
          "signed_as"?: number | null;
          "updated_at"?: string;
        };
        Update: {
          "booking_id"?: string;
          "created_at"?: string;
          "email"?: string | null;
          "full_name"?: string;
          "has_paid"?: boolean;
          "id"?: string;
          "organization_id"?: string;
          "phone"?: string | null;
          "position"?: number;
          "signature_id"?: string | null;
          "signed_as"?: number | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_people_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "booking_people_signature_fkey";
            columns: ["organization_id", "signature_id"];
            isOneToOne: false;
            referencedRelation: "waiver_signatures";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_reasons": {
        Row: {
          "booking_id": string;
          "history_id": string;
          "organization_id": string;
          "reason": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "history_id": string;
          "organization_id": string;
          "reason": string;
        };
        Update: {
          "booking_id"?: string;
          "history_id"?: string;
          "organization_id"?: string;
          "reason"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_reasons_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "booking_reasons_history_fkey";
            columns: ["organization_id", "history_id"];
            isOneToOne: true;
            referencedRelation: "booking_history";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "booking_tags": {
        Row: {
          "booking_id": string;
          "organization_id": string;
          "tag_id": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "organization_id": string;
          "tag_id": string;
        };
        Update: {
          "booking_id"?: string;
          "organization_id"?: string;
          "tag_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "booking_tags_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "booking_tags_tag_fkey";
            columns: ["organization_id", "tag_id"];
            isOneToOne: false;
            referencedRelation: "tags";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "bookings": {
        Row: {
          "calendar_id": string | null;
          "cancel_refund": "full" | "terms" | "none" | null;
          "created_at": string;
          "currency": string;
          "customer_id": string;
          "due_now_cents": number;
          "exclusive": boolean;
          "hold_expires_at": string | null;
          "hold_extended_at": string | null;
          "id": string;
          "locale": string;
          "merged_into_id": string | null;
          "order_id": string | null;
          "organization_id": string;
          "party_size": number;
          "reference": string;
          "room_id": string;
          "seats": number;
          "session_id": string;
          "source": "widget" | "direct" | "marketplace" | "api";
          "staff_note": string;
          "starts_at": string;
          "status":
            | "held"
            | "pending"
            | "confirmed"
            | "checked_in"
            | "in_progress"
            | "completed"
            | "no_show"
            | "expired"
            | "cancelled";
          "status_reason": string | null;
          "takes_capacity": boolean;
          "tax_cents": number;
          "terms": Json | null;
          "total_cents": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id"?: string | null;
          "cancel_refund"?: "full" | "terms" | "none" | null;
          "created_at"?: string;
          "currency": string;
          "customer_id": string;
          "due_now_cents": number;
          "exclusive"?: boolean;
          "hold_expires_at"?: string | null;
          "hold_extended_at"?: string | null;
          "id"?: string;
          "locale": string;
          "merged_into_id"?: string | null;
          "order_id"?: string | null;
          "organization_id": string;
          "party_size": number;
          "reference": string;
          "room_id": string;
          "seats": number;
          "session_id": string;
          "source"?: "widget" | "direct" | "marketplace" | "api";
          "staff_note"?: string;
          "starts_at": string;
          "status":
            | "held"
            | "pending"
            | "confirmed"
            | "checked_in"
            | "in_progress"
            | "completed"
            | "no_show"
            | "expired"
            | "cancelled";
          "status_reason"?: string | null;
          "takes_capacity"?: never;
          "tax_cents": number;
          "terms"?: Json | null;
          "total_cents": number;
          "updated_at"?: string;
        };
        Update: {
          "calendar_id"?: string | null;
          "cancel_refund"?: "full" | "terms" | "none" | null;
          "created_at"?: string;
          "currency"?: string;
          "customer_id"?: string;
          "due_now_cents"?: number;
          "exclusive"?: boolean;
          "hold_expires_at"?: string | null;
          "hold_extended_at"?: string | null;
          "id"?: string;
          "locale"?: string;
          "merged_into_id"?: string | null;
          "order_id"?: string | null;
          "organization_id"?: string;
          "party_size"?: number;
          "reference"?: string;
          "room_id"?: string;
          "seats"?: number;
          "session_id"?: string;
          "source"?: "widget" | "direct" | "marketplace" | "api";
          "staff_note"?: string;
          "starts_at"?: string;
          "status"?:
            | "held"
            | "pending"
            | "confirmed"
            | "checked_in"
            | "in_progress"
            | "completed"
            | "no_show"
            | "expired"
            | "cancelled";
          "status_reason"?: string | null;
          "takes_capacity"?: never;
          "tax_cents"?: number;
          "terms"?: Json | null;
          "total_cents"?: number;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "bookings_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "bookings_customer_fkey";
            columns: ["organization_id", "customer_id"];
            isOneToOne: false;
            referencedRelation: "customers";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "bookings_merged_into_fkey";
            columns: ["organization_id", "merged_into_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "bookings_order_fkey";
            columns: ["organization_id", "order_id"];
            isOneToOne: false;
            referencedRelation: "booking_orders";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "bookings_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "bookings_session_fkey";
            columns: ["organization_id", "session_id", "room_id", "starts_at"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id", "room_id", "starts_at"];
          },
        ];
      };
      "calendar_blocked_dates": {
        Row: {
          "calendar_id": string;
          "created_at": string;
          "from_date": string;
          "id": string;
          "organization_id": string;
          "reason": string;
          "to_date": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id": string;
          "created_at"?: string;
          "from_date": string;
          "id"?: string;
          "organization_id"?: string;
          "reason"?: string;
          "to_date": string;
          "updated_at"?: string;
        };
        Update: {
          "calendar_id"?: string;
          "created_at"?: string;
          "from_date"?: string;
          "id"?: string;
          "organization_id"?: string;
          "reason"?: string;
          "to_date"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_blocked_dates_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "calendar_feeds": {
        Row: {
          "created_at": string;
          "created_by": string | null;
          "id": string;
          "name": string;
          "organization_id": string;
          "revoked_at": string | null;
          "room_id": string | null;
          "support_entry_id": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by"?: string | null;
          "id"?: string;
          "name": string;
          "organization_id": string;
          "revoked_at"?: string | null;
          "room_id"?: string | null;
          "support_entry_id"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string | null;
          "id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "revoked_at"?: string | null;
          "room_id"?: string | null;
          "support_entry_id"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_feeds_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "calendar_feeds_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
          {
            foreignKeyName: "calendar_feeds_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "calendar_feeds_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "calendar_feeds_support_entry_fkey";
            columns: ["organization_id", "support_entry_id"];
            isOneToOne: false;
            referencedRelation: "support_entries";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "calendar_fields": {
        Row: {
          "calendar_id": string;
          "created_at": string;
          "help": NonNullable<Json>;
          "id": string;
          "in_confirmation": boolean;
          "key": string;
          "kind":
            | "text"
            | "textarea"
            | "email"
            | "phone"
            | "number"
            | "select"
            | "checkbox"
            | "date";
          "label": NonNullable<Json>;
          "maximum_length": number | null;
          "minimum_length": number | null;
          "options": Json | null;
          "organization_id": string;
          "pattern": string | null;
          "placeholder": NonNullable<Json>;
          "position": number;
          "required": boolean;
          "room_id": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id": string;
          "created_at"?: string;
          "help"?: NonNullable<Json>;
          "id"?: string;
          "in_confirmation"?: boolean;
          "key": string;
          "kind"?:
            | "text"
            | "textarea"
            | "email"
            | "phone"
            | "number"
            | "select"
            | "checkbox"
            | "date";
          "label": NonNullable<Json>;
          "maximum_length"?: number | null;
          "minimum_length"?: number | null;
          "options"?: Json | null;
          "organization_id"?: string;
          "pattern"?: string | null;
          "placeholder"?: NonNullable<Json>;
          "position"?: number;
          "required"?: boolean;
          "room_id"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "calendar_id"?: string;
          "created_at"?: string;
          "help"?: NonNullable<Json>;
          "id"?: string;
          "in_confirmation"?: boolean;
          "key"?: string;
          "kind"?:
            | "text"
            | "textarea"
            | "email"
            | "phone"
            | "number"
            | "select"
            | "checkbox"
            | "date";
          "label"?: NonNullable<Json>;
          "maximum_length"?: number | null;
          "minimum_length"?: number | null;
          "options"?: Json | null;
          "organization_id"?: string;
          "pattern"?: string | null;
          "placeholder"?: NonNullable<Json>;
          "position"?: number;
          "required"?: boolean;
          "room_id"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_fields_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "calendar_fields_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "calendar_rooms": {
        Row: {
          "calendar_id": string;
          "maximum_advance_days": number | null;
          "minimum_notice_minutes": number | null;
          "organization_id": string;
          "position": number;
          "room_id": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id": string;
          "maximum_advance_days"?: number | null;
          "minimum_notice_minutes"?: number | null;
          "organization_id"?: string;
          "position"?: number;
          "room_id": string;
        };
        Update: {
          "calendar_id"?: string;
          "maximum_advance_days"?: number | null;
          "minimum_notice_minutes"?: number | null;
          "organization_id"?: string;
          "position"?: number;
          "room_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_rooms_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "calendar_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "calendars": {
        Row: {
          "accent_color": string | null;
          "confirm_by_email": boolean;
          "created_at": string;
          "descriptions": NonNullable<Json>;
          "fee_kind": "none" | "booking" | "person" | "percent";
          "fee_tax_rate_bp": number;
          "fee_value": number;
          "flow": "room_first" | "date_first";
          "hold_minutes": number;
          "holds_per_address": number;
          "id": string;
          "is_active": boolean;
          "lapse_notice_minutes": number | null;
          "locales": (string)[];
          "maximum_advance_days": number;
          "minimum_notice_minutes": number;
          "name": string;
          "organization_id": string;
          "shows_taken_times": boolean;
          "site_url": string | null;
          "slug": string;
          "terms": NonNullable<Json>;
          "theme": "auto" | "light" | "dark";
          "updated_at": string;
          "waitlist_minutes": number | null;
        };
        ComputedFields: never;
        Insert: {
          "accent_color"?: string | null;
          "confirm_by_email"?: boolean;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "fee_kind"?: "none" | "booking" | "person" | "percent";
          "fee_tax_rate_bp"?: number;
          "fee_value"?: number;
          "flow"?: "room_first" | "date_first";
          "hold_minutes"?: number;
          "holds_per_address"?: number;
          "id"?: string;
          "is_active"?: boolean;
          "lapse_notice_minutes"?: number | null;
          "locales"?: (string)[];
          "maximum_advance_days"?: number;
          "minimum_notice_minutes"?: number;
          "name": string;
          "organization_id"?: string;
          "shows_taken_times"?: boolean;
          "site_url"?: string | null;
          "slug": string;
          "terms"?: NonNullable<Json>;
          "theme"?: "auto" | "light" | "dark";
          "updated_at"?: string;
          "waitlist_minutes"?: number | null;
        };
        Update: {
          "accent_color"?: string | null;
          "confirm_by_email"?: boolean;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "fee_kind"?: "none" | "booking" | "person" | "percent";
          "fee_tax_rate_bp"?: number;
          "fee_value"?: number;
          "flow"?: "room_first" | "date_first";
          "hold_minutes"?: number;
          "holds_per_address"?: number;
          "id"?: string;
          "is_active"?: boolean;
          "lapse_notice_minutes"?: number | null;
          "locales"?: (string)[];
          "maximum_advance_days"?: number;
          "minimum_notice_minutes"?: number;
          "name"?: string;
          "organization_id"?: string;
          "shows_taken_times"?: boolean;
          "site_url"?: string | null;
          "slug"?: string;
          "terms"?: NonNullable<Json>;
          "theme"?: "auto" | "light" | "dark";
          "updated_at"?: string;
          "waitlist_minutes"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "calendars_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "cash_day_lines": {
        Row: {
          "amount_cents": number;
          "cash_day_id": string;
          "id": string;
          "method": "cash" | "card_terminal" | "transfer" | "bizum";
          "organization_id": string;
          "payment_id": string | null;
          "recorded_by": NonNullable<Json>;
          "refund_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "cash_day_id": string;
          "id"?: string;
          "method": "cash" | "card_terminal" | "transfer" | "bizum";
          "organization_id": string;
          "payment_id"?: string | null;
          "recorded_by": NonNullable<Json>;
          "refund_id"?: string | null;
        };
        Update: {
          "amount_cents"?: number;
          "cash_day_id"?: string;
          "id"?: string;
          "method"?: "cash" | "card_terminal" | "transfer" | "bizum";
          "organization_id"?: string;
          "payment_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "refund_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "cash_day_lines_cash_day_fkey";
            columns: ["organization_id", "cash_day_id"];
            isOneToOne: false;
            referencedRelation: "cash_days";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "cash_day_lines_payment_fkey";
            columns: ["organization_id", "payment_id"];
            isOneToOne: true;
            referencedRelation: "payments";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "cash_day_lines_refund_fkey";
            columns: ["organization_id", "refund_id"];
            isOneToOne: true;
            referencedRelation: "refunds";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "cash_days": {
        Row: {
          "closed_at": string | null;
          "closed_by": Json | null;
          "counted_bizum_cents": number | null;
          "counted_card_terminal_cents": number | null;
          "counted_cash_cents": number | null;
          "counted_transfer_cents": number | null;
          "currency": string;
          "float_cents": number;
          "id": string;
          "location_id": string;
          "opened_at": string;
          "opened_by": NonNullable<Json>;
          "organization_id": string;
        };
        ComputedFields: never;
        Insert: {
          "closed_at"?: string | null;
          "closed_by"?: Json | null;
          "counted_bizum_cents"?: number | null;
          "counted_card_terminal_cents"?: number | null;
          "counted_cash_cents"?: number | null;
          "counted_transfer_cents"?: number | null;
          "currency": string;
          "float_cents": number;
          "id"?: string;
          "location_id": string;
          "opened_at"?: string;
          "opened_by"?: NonNullable<Json>;
          "organization_id": string;
        };
        Update: {
          "closed_at"?: string | null;
          "closed_by"?: Json | null;
          "counted_bizum_cents"?: number | null;
          "counted_card_terminal_cents"?: number | null;
          "counted_cash_cents"?: number | null;
          "counted_transfer_cents"?: number | null;
          "currency"?: string;
          "float_cents"?: number;
          "id"?: string;
          "location_id"?: string;
          "opened_at"?: string;
          "opened_by"?: NonNullable<Json>;
          "organization_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "cash_days_location_fkey";
            columns: ["organization_id", "location_id"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "cash_days_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "checklist_items": {
        Row: {
          "created_at": string;
          "id": string;
          "is_required": boolean;
          "organization_id": string;
          "phase": "opening" | "before_game" | "reset";
          "position": number;
          "room_id": string;
          "title": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "is_required"?: boolean;
          "organization_id"?: string;
          "phase": "opening" | "before_game" | "reset";
          "position"?: number;
          "room_id": string;
          "title": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "is_required"?: boolean;
          "organization_id"?: string;
          "phase"?: "opening" | "before_game" | "reset";
          "position"?: number;
          "room_id"?: string;
          "title"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "checklist_items_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "checklist_ticks": {
        Row: {
          "actor_id": string | null;
          "actor_kind": string;
          "item_id": string;
          "organization_id": string;
          "session_id": string;
          "ticked_at": string;
        };
        ComputedFields: never;
        Insert: {
          "actor_id"?: string | null;
          "actor_kind": string;
          "item_id": string;
          "organization_id": string;
          "session_id": string;
          "ticked_at"?: string;
        };
        Update: {
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "item_id"?: string;
          "organization_id"?: string;
          "session_id"?: string;
          "ticked_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "checklist_ticks_item_fkey";
            columns: ["organization_id", "item_id"];
            isOneToOne: false;
            referencedRelation: "checklist_items";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "checklist_ticks_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "coupon_redemptions": {
        Row: {
          "booking_id": string;
          "coupon_id": string;
          "created_at": string;
          "discount_cents": number;
          "organization_id": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "coupon_id": string;
          "created_at"?: string;
          "discount_cents": number;
          "organization_id": string;
        };
        Update: {
          "booking_id"?: string;
          "coupon_id"?: string;
          "created_at"?: string;
          "discount_cents"?: number;
          "organization_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "coupon_redemptions_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: true;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "coupon_redemptions_coupon_fkey";
            columns: ["organization_id", "coupon_id"];
            isOneToOne: false;
            referencedRelation: "coupons";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "coupon_rooms": {
        Row: {
          "coupon_id": string;
          "organization_id": string;
          "room_id": string;
        };
        ComputedFields: never;
        Insert: {
          "coupon_id": string;
          "organization_id": string;
          "room_id": string;
        };
        Update: {
          "coupon_id"?: string;
          "organization_id"?: string;
          "room_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "coupon_rooms_coupon_fkey";
            columns: ["organization_id", "coupon_id"];
            isOneToOne: false;
            referencedRelation: "coupons";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "coupon_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "coupons": {
        Row: {
          "all_rooms": boolean;
          "code": string;
          "created_at": string;
          "description": string;
          "id": string;
          "kind": "percent" | "fixed";
          "maximum_uses": number | null;
          "maximum_uses_per_customer": number | null;
          "minimum_cents": number;
          "organization_id": string;
          "status": "active" | "inactive";
          "updated_at": string;
          "valid_from": string | null;
          "valid_until": string | null;
          "value": number;
        };
        ComputedFields: never;
        Insert: {
          "all_rooms"?: boolean;
          "code": string;
          "created_at"?: string;
          "description"?: string;
          "id"?: string;
          "kind": "percent" | "fixed";
          "maximum_uses"?: number | null;
          "maximum_uses_per_customer"?: number | null;
          "minimum_cents"?: number;
          "organization_id": string;
          "status"?: "active" | "inactive";
          "updated_at"?: string;
          "valid_from"?: string | null;
          "valid_until"?: string | null;
          "value": number;
        };
        Update: {
          "all_rooms"?: boolean;
          "code"?: string;
          "created_at"?: string;
          "description"?: string;
          "id"?: string;
          "kind"?: "percent" | "fixed";
          "maximum_uses"?: number | null;
          "maximum_uses_per_customer"?: number | null;
          "minimum_cents"?: number;
          "organization_id"?: string;
          "status"?: "active" | "inactive";
          "updated_at"?: string;
          "valid_from"?: string | null;
          "valid_until"?: string | null;
          "value"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "coupons_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "customer_consents": {
        Row: {
          "booking_id": string | null;
          "counts_from": string | null;
          "customer_id": string;
          "granted": boolean;
          "id": string;
          "kind": "terms" | "marketing" | "privacy";
          "locale": string;
          "occurred_at": string;
          "organization_id": string;
          "wording": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id"?: string | null;
          "counts_from"?: string | null;
          "customer_id": string;
          "granted": boolean;
          "id"?: string;
          "kind": "terms" | "marketing" | "privacy";
          "locale": string;
          "occurred_at"?: string;
          "organization_id": string;
          "wording"?: string;
        };
        Update: {
          "booking_id"?: string | null;
          "counts_from"?: string | null;
          "customer_id"?: string;
          "granted"?: boolean;
          "id"?: string;
          "kind"?: "terms" | "marketing" | "privacy";
          "locale"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "wording"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "customer_consents_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "customer_consents_customer_fkey";
            columns: ["organization_id", "customer_id"];
            isOneToOne: false;
            referencedRelation: "customers";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "customer_erasures": {
        Row: {
          "customer_id": string;
          "erased_at": string;
          "erased_by": NonNullable<Json>;
          "id": string;
          "organization_id": string;
          "reason": string;
        };
        ComputedFields: never;
        Insert: {
          "customer_id": string;
          "erased_at"?: string;
          "erased_by"?: NonNullable<Json>;
          "id"?: string;
          "organization_id": string;
          "reason": string;
        };
        Update: {
          "customer_id"?: string;
          "erased_at"?: string;
          "erased_by"?: NonNullable<Json>;
          "id"?: string;
          "organization_id"?: string;
          "reason"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "customer_erasures_customer_fkey";
            columns: ["organization_id", "customer_id"];
            isOneToOne: true;
            referencedRelation: "customers";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "customer_tags": {
        Row: {
          "created_at": string;
          "customer_id": string;
          "id": string;
          "organization_id": string;
          "tag": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "customer_id": string;
          "id"?: string;
          "organization_id"?: string;
          "tag": string;
        };
        Update: {
          "created_at"?: string;
          "customer_id"?: string;
          "id"?: string;
          "organization_id"?: string;
          "tag"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "customer_tags_customer_fkey";
            columns: ["organization_id", "customer_id"];
            isOneToOne: false;
            referencedRelation: "customers";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "customers": {
        Row: {
          "created_at": string;
          "email": string | null;
          "erased_at": string | null;
          "full_name": string;
          "id": string;
          "locale": string;
          "organization_id": string;
          "phone": string | null;
          "staff_note": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "email"?: string | null;
          "erased_at"?: string | null;
          "full_name": string;
          "id"?: string;
          "locale": string;
          "organization_id"?: string;
          "phone"?: string | null;
          "staff_note"?: string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "email"?: string | null;
          "erased_at"?: string | null;
          "full_name"?: string;
          "id"?: string;
          "locale"?: string;
          "organization_id"?: string;
          "phone"?: string | null;
          "staff_note"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "customers_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "disputes": {
        Row: {
          "amount_cents": number;
          "as_of": string;
          "booking_id": string;
          "created_at": string;
          "currency": string;
          "id": string;
          "organization_id": string;
          "payment_id": string;
          "provider_dispute_id": string;
          "reason": string;
          "respond_by": string | null;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "as_of": string;
          "booking_id": string;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "organization_id": string;
          "payment_id": string;
          "provider_dispute_id": string;
          "reason": string;
          "respond_by"?: string | null;
          "status": string;
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number;
          "as_of"?: string;
          "booking_id"?: string;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "organization_id"?: string;
          "payment_id"?: string;
          "provider_dispute_id"?: string;
          "reason"?: string;
          "respond_by"?: string | null;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "disputes_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "disputes_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "disputes_payment_fkey";
            columns: ["organization_id", "payment_id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "email_template_overrides": {
        Row: {
          "body": string | null;
          "checked_at": string | null;
          "created_at": string;
          "is_sent": boolean;
          "locale": string;
          "organization_id": string;
          "problem": Json | null;
          "subject": string | null;
          "template":
            | "auth"
            | "booking_cancelled"
            | "booking_confirmed"
            | "booking_held"
            | "booking_paid_late"
            | "booking_pending"
            | "booking_refunded"
            | "booking_rescheduled"
            | "booking_to_confirm"
            | "day_board"
            | "details_changed"
            | "dispute_opened"
            | "hold_lapsing"
            | "invitation"
            | "my_bookings"
            | "notice"
            | "notice_address"
            | "notice_digest"
            | "payment_received"
            | "payment_request"
            | "payment_share_news"
            | "refund_promised"
            | "reminder"
            | "review_request"
            | "share_to_pay"
            | "subscription_overdue"
            | "table_export_ready"
            | "thanks"
            | "voucher_bought"
            | "voucher_issued"
            | "waitlist_joined"
            | "waitlist_offer"
            | "waiver_request"
            | "webhook_disabled";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "body"?: string | null;
          "checked_at"?: string | null;
          "created_at"?: string;
          "is_sent"?: boolean;
          "locale": string;
          "organization_id"?: string;
          "problem"?: Json | null;
          "subject"?: string | null;
          "template":
            | "auth"
            | "booking_cancelled"
            | "booking_confirmed"
            | "booking_held"
            | "booking_paid_late"
            | "booking_pending"
            | "booking_refunded"
            | "booking_rescheduled"
            | "booking_to_confirm"
            | "day_board"
            | "details_changed"
            | "dispute_opened"
            | "hold_lapsing"
            | "invitation"
            | "my_bookings"
            | "notice"
            | "notice_address"
            | "notice_digest"
            | "payment_received"
            | "payment_request"
            | "payment_share_news"
            | "refund_promised"
            | "reminder"
            | "review_request"
            | "share_to_pay"
            | "subscription_overdue"
            | "table_export_ready"
            | "thanks"
            | "voucher_bought"
            | "voucher_issued"
            | "waitlist_joined"
            | "waitlist_offer"
            | "waiver_request"
            | "webhook_disabled";
          "updated_at"?: string;
        };
        Update: {
          "body"?: string | null;
          "checked_at"?: string | null;
          "created_at"?: string;
          "is_sent"?: boolean;
          "locale"?: string;
          "organization_id"?: string;
          "problem"?: Json | null;
          "subject"?: string | null;
          "template"?:
            | "auth"
            | "booking_cancelled"
            | "booking_confirmed"
            | "booking_held"
            | "booking_paid_late"
            | "booking_pending"
            | "booking_refunded"
            | "booking_rescheduled"
            | "booking_to_confirm"
            | "day_board"
            | "details_changed"
            | "dispute_opened"
            | "hold_lapsing"
            | "invitation"
            | "my_bookings"
            | "notice"
            | "notice_address"
            | "notice_digest"
            | "payment_received"
            | "payment_request"
            | "payment_share_news"
            | "refund_promised"
            | "reminder"
            | "review_request"
            | "share_to_pay"
            | "subscription_overdue"
            | "table_export_ready"
            | "thanks"
            | "voucher_bought"
            | "voucher_issued"
            | "waitlist_joined"
            | "waitlist_offer"
            | "waiver_request"
            | "webhook_disabled";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "email_template_overrides_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "extra_rooms": {
        Row: {
          "extra_id": string;
          "organization_id": string;
          "room_id": string;
        };
        ComputedFields: never;
        Insert: {
          "extra_id": string;
          "organization_id"?: string;
          "room_id": string;
        };
        Update: {
          "extra_id"?: string;
          "organization_id"?: string;
          "room_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "extra_rooms_extra_fkey";
            columns: ["organization_id", "extra_id"];
            isOneToOne: false;
            referencedRelation: "extras";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "extra_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "extras": {
        Row: {
          "all_rooms": boolean;
          "created_at": string;
          "descriptions": NonNullable<Json>;
          "id": string;
          "is_active": boolean;
          "maximum_quantity": number;
          "names": NonNullable<Json>;
          "organization_id": string;
          "position": number;
          "price_cents": number;
          "price_per": "booking" | "person";
          "stock_per_session": number | null;
          "tax_rate_bp": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "all_rooms"?: boolean;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "is_active"?: boolean;
          "maximum_quantity"?: number;
          "names": NonNullable<Json>;
          "organization_id"?: string;
          "position"?: number;
          "price_cents": number;
          "price_per"?: "booking" | "person";
          "stock_per_session"?: number | null;
          "tax_rate_bp"?: number;
          "updated_at"?: string;
        };
        Update: {
          "all_rooms"?: boolean;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "is_active"?: boolean;
          "maximum_quantity"?: number;
          "names"?: NonNullable<Json>;
          "organization_id"?: string;
          "position"?: number;
          "price_cents"?: number;
          "price_per"?: "booking" | "person";
          "stock_per_session"?: number | null;
          "tax_rate_bp"?: number;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "extras_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "game_events": {
        Row: {
          "actor_id": string | null;
          "actor_kind": string;
          "duration_seconds": number | null;
          "kind": "started" | "paused" | "resumed" | "hint" | "finished" | "reopened" | "withdrawn";
          "note": string;
          "occurred_at": string;
          "organization_id": string;
          "outcome": "escaped" | "failed" | "aborted" | null;
          "position": number;
          "session_id": string;
        };
        ComputedFields: never;
        Insert: {
          "actor_id"?: string | null;
          "actor_kind": string;
          "duration_seconds"?: number | null;
          "kind": "started" | "paused" | "resumed" | "hint" | "finished" | "reopened" | "withdrawn";
          "note"?: string;
          "occurred_at": string;
          "organization_id": string;
          "outcome"?: "escaped" | "failed" | "aborted" | null;
          "position": number;
          "session_id": string;
        };
        Update: {
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "duration_seconds"?: number | null;
          "kind"?:
            | "started"
            | "paused"
            | "resumed"
            | "hint"
            | "finished"
            | "reopened"
            | "withdrawn";
          "note"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "outcome"?: "escaped" | "failed" | "aborted" | null;
          "position"?: number;
          "session_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "game_events_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "game_results": {
        Row: {
          "booking_id": string;
          "consented_at": string | null;
          "correction_reason": string;
          "created_at": string;
          "duration_seconds": number;
          "escape_seconds": number | null;
          "hints": number;
          "is_by_hand": boolean;
          "is_public": boolean;
          "language": string | null;
          "level": "easy" | "normal" | "hard" | "expert" | null;
          "name_status": "pending" | "approved" | "rejected";
          "notes": string;
          "organization_id": string;
          "outcome": "escaped" | "failed" | "aborted";
          "pauses": number;
          "played_at": string;
          "room_id": string;
          "session_id": string;
          "team_name": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "consented_at"?: string | null;
          "correction_reason"?: string;
          "created_at"?: string;
          "duration_seconds": number;
          "escape_seconds"?: number | null;
          "hints"?: number;
          "is_by_hand"?: boolean;
          "is_public"?: boolean;
          "language"?: string | null;
          "level"?: "easy" | "normal" | "hard" | "expert" | null;
          "name_status"?: "pending" | "approved" | "rejected";
          "notes"?: string;
          "organization_id": string;
          "outcome": "escaped" | "failed" | "aborted";
          "pauses"?: number;
          "played_at": string;
          "room_id": string;
          "session_id": string;
          "team_name"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "booking_id"?: string;
          "consented_at"?: string | null;
          "correction_reason"?: string;
          "created_at"?: string;
          "duration_seconds"?: number;
          "escape_seconds"?: number | null;
          "hints"?: number;
          "is_by_hand"?: boolean;
          "is_public"?: boolean;
          "language"?: string | null;
          "level"?: "easy" | "normal" | "hard" | "expert" | null;
          "name_status"?: "pending" | "approved" | "rejected";
          "notes"?: string;
          "organization_id"?: string;
          "outcome"?: "escaped" | "failed" | "aborted";
          "pauses"?: number;
          "played_at"?: string;
          "room_id"?: string;
          "session_id"?: string;
          "team_name"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "game_results_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: true;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "game_results_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "game_results_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "invitations": {
        Row: {
          "accepted_at": string | null;
          "accepted_by": string | null;
          "created_at": string;
          "email": string;
          "expires_at": string;
          "id": string;
          "invited_by": string | null;
          "locale": string;
          "organization_id": string;
          "revoked_at": string | null;
          "role_id": string;
        };
        ComputedFields: never;
        Insert: {
          "accepted_at"?: string | null;
          "accepted_by"?: string | null;
          "created_at"?: string;
          "email": string;
          "expires_at"?: string;
          "id"?: string;
          "invited_by"?: string | null;
          "locale"?: string;
          "organization_id": string;
          "revoked_at"?: string | null;
          "role_id": string;
        };
        Update: {
          "accepted_at"?: string | null;
          "accepted_by"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "expires_at"?: string;
          "id"?: string;
          "invited_by"?: string | null;
          "locale"?: string;
          "organization_id"?: string;
          "revoked_at"?: string | null;
          "role_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "invitations_accepted_by_fkey";
            columns: ["accepted_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "invitations_invited_by_fkey";
            columns: ["invited_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "invitations_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "invitations_role_fkey";
            columns: ["organization_id", "role_id"];
            isOneToOne: false;
            referencedRelation: "roles";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "late_arrivals": {
        Row: {
          "agreed_ends_at": string;
          "agreed_starts_at": string;
          "agreed_until": string;
          "booking_id": string;
          "created_at": string;
          "id": string;
          "minutes": number;
          "organization_id": string;
          "outcome": "shifted" | "shorter_offered" | "shortened" | "noted";
          "session_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "agreed_ends_at": string;
          "agreed_starts_at": string;
          "agreed_until": string;
          "booking_id": string;
          "created_at"?: string;
          "id"?: string;
          "minutes": number;
          "organization_id": string;
          "outcome": "shifted" | "shorter_offered" | "shortened" | "noted";
          "session_id": string;
          "updated_at"?: string;
        };
        Update: {
          "agreed_ends_at"?: string;
          "agreed_starts_at"?: string;
          "agreed_until"?: string;
          "booking_id"?: string;
          "created_at"?: string;
          "id"?: string;
          "minutes"?: number;
          "organization_id"?: string;
          "outcome"?: "shifted" | "shorter_offered" | "shortened" | "noted";
          "session_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "late_arrivals_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "late_arrivals_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "ledger_entries": {
        Row: {
          "amount_cents": number;
          "booking_id": string | null;
          "created_at": string;
          "credit": string;
          "currency": string;
          "debit": string;
          "id": string;
          "occurred_at": string;
          "organization_id": string;
          "source":
            | "payment"
            | "refund"
            | "booking"
            | "voucher_entry"
            | "voucher"
            | "dispute"
            | "cash_day"
            | "voucher_order"
            | "voucher_refund"
            | "voucher_dispute";
          "source_id": string;
          "step": number;
          "tax_rate_bp": number | null;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "booking_id"?: string | null;
          "created_at"?: string;
          "credit": string;
          "currency": string;
          "debit": string;
          "id"?: string;
          "occurred_at": string;
          "organization_id": string;
          "source":
            | "payment"
            | "refund"
            | "booking"
            | "voucher_entry"
            | "voucher"
            | "dispute"
            | "cash_day"
            | "voucher_order"
            | "voucher_refund"
            | "voucher_dispute";
          "source_id": string;
          "step": number;
          "tax_rate_bp"?: number | null;
        };
        Update: {
          "amount_cents"?: number;
          "booking_id"?: string | null;
          "created_at"?: string;
          "credit"?: string;
          "currency"?: string;
          "debit"?: string;
          "id"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "source"?:
            | "payment"
            | "refund"
            | "booking"
            | "voucher_entry"
            | "voucher"
            | "dispute"
            | "cash_day"
            | "voucher_order"
            | "voucher_refund"
            | "voucher_dispute";
          "source_id"?: string;
          "step"?: number;
          "tax_rate_bp"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "ledger_entries_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "ledger_entries_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "locations": {
        Row: {
          "address": string;
          "arrival_hints": NonNullable<Json>;
          "check_in_hours": number;
          "city": string;
          "country": string | null;
          "created_at": string;
          "details_changed_at": string | null;
          "directions": NonNullable<Json>;
          "id": string;
          "latitude": number | null;
          "longitude": number | null;
          "name": string;
          "no_show_minutes": number;
          "organization_id": string;
          "phone": string | null;
          "postal_code": string;
          "province": string;
          "tells_changes": boolean;
          "timezone": string;
          "undo_hours": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "address"?: string;
          "arrival_hints"?: NonNullable<Json>;
          "check_in_hours"?: number;
          "city"?: string;
          "country"?: string | null;
          "created_at"?: string;
          "details_changed_at"?: string | null;
          "directions"?: NonNullable<Json>;
          "id"?: string;
          "latitude"?: number | null;
          "longitude"?: number | null;
          "name": string;
          "no_show_minutes"?: number;
          "organization_id"?: string;
          "phone"?: string | null;
          "postal_code"?: string;
          "province"?: string;
          "tells_changes"?: boolean;
          "timezone": string;
          "undo_hours"?: number;
          "updated_at"?: string;
        };
        Update: {
          "address"?: string;
          "arrival_hints"?: NonNullable<Json>;
          "check_in_hours"?: number;
          "city"?: string;
          "country"?: string | null;
          "created_at"?: string;
          "details_changed_at"?: string | null;
          "directions"?: NonNullable<Json>;
          "id"?: string;
          "latitude"?: number | null;
          "longitude"?: number | null;
          "name"?: string;
          "no_show_minutes"?: number;
          "organization_id"?: string;
          "phone"?: string | null;
          "postal_code"?: string;
          "province"?: string;
          "tells_changes"?: boolean;
          "timezone"?: string;
          "undo_hours"?: number;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "locations_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "member_bars": {
        Row: {
          "barred_at": string;
          "barred_by": string | null;
          "cause": "suspended" | "removed";
          "email": string | null;
          "id": string;
          "organization_id": string;
          "other_emails": (string)[];
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "barred_at"?: string;
          "barred_by"?: string | null;
          "cause": "suspended" | "removed";
          "email"?: string | null;
          "id"?: string;
          "organization_id": string;
          "other_emails"?: (string)[];
          "user_id"?: string | null;
        };
        Update: {
          "barred_at"?: string;
          "barred_by"?: string | null;
          "cause"?: "suspended" | "removed";
          "email"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "other_emails"?: (string)[];
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "member_bars_barred_by_fkey";
            columns: ["barred_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "member_bars_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "member_bars_user_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "memberships": {
        Row: {
          "created_at": string;
          "expires_at": string | null;
          "id": string;
          "organization_id": string;
          "role_id": string;
          "status": "active" | "suspended";
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "id"?: string;
          "organization_id": string;
          "role_id": string;
          "status"?: "active" | "suspended";
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "role_id"?: string;
          "status"?: "active" | "suspended";
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "memberships_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "memberships_role_fkey";
            columns: ["organization_id", "role_id"];
            isOneToOne: false;
            referencedRelation: "roles";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "memberships_user_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "message_rule_rooms": {
        Row: {
          "created_at": string;
          "organization_id": string;
          "room_id": string;
          "rule_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id": string;
          "rule_id": string;
        };
        Update: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id"?: string;
          "rule_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "message_rule_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "message_rule_rooms_rule_fkey";
            columns: ["organization_id", "rule_id"];
            isOneToOne: false;
            referencedRelation: "message_rules";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "message_rules": {
        Row: {
          "all_rooms": boolean;
          "at_time": string | null;
          "counted_from": "start" | "end";
          "counts_from": string;
          "created_at": string;
          "days": number | null;
          "id": string;
          "is_active": boolean;
          "kind": "reminder" | "thanks" | "payment_request" | "review_request" | "waiver_request";
          "locales": (string)[] | null;
          "minutes": number | null;
          "organization_id": string;
          "review_url": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "all_rooms"?: boolean;
          "at_time"?: string | null;
          "counted_from"?: never;
          "counts_from"?: string;
          "created_at"?: string;
          "days"?: number | null;
          "id"?: string;
          "is_active"?: boolean;
          "kind": "reminder" | "thanks" | "payment_request" | "review_request" | "waiver_request";
          "locales"?: (string)[] | null;
          "minutes"?: number | null;
          "organization_id"?: string;
          "review_url"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "all_rooms"?: boolean;
          "at_time"?: string | null;
          "counted_from"?: never;
          "counts_from"?: string;
          "created_at"?: string;
          "days"?: number | null;
          "id"?: string;
          "is_active"?: boolean;
          "kind"?: "reminder" | "thanks" | "payment_request" | "review_request" | "waiver_request";
          "locales"?: (string)[] | null;
          "minutes"?: number | null;
          "organization_id"?: string;
          "review_url"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "message_rules_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "monthly_report_recipients": {
        Row: {
          "created_at": string;
          "day_of_month": number;
          "hour_of_day": number;
          "next_at": string;
          "organization_id": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "day_of_month"?: number;
          "hour_of_day"?: number;
          "next_at": string;
          "organization_id"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "day_of_month"?: number;
          "hour_of_day"?: number;
          "next_at"?: string;
          "organization_id"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "monthly_report_recipients_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: true;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
        ];
      };
      "notice_addresses": {
        Row: {
          "asked_at": string;
          "confirmed_at": string | null;
          "created_at": string;
          "email": string;
          "id": string;
          "locale": string;
          "organization_id": string;
          "stopped_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "asked_at"?: string;
          "confirmed_at"?: string | null;
          "created_at"?: string;
          "email": string;
          "id"?: string;
          "locale": string;
          "organization_id": string;
          "stopped_at"?: string | null;
        };
        Update: {
          "asked_at"?: string;
          "confirmed_at"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "id"?: string;
          "locale"?: string;
          "organization_id"?: string;
          "stopped_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "notice_addresses_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "notice_rule_addresses": {
        Row: {
          "address_id": string;
          "created_at": string;
          "organization_id": string;
          "rule_id": string;
        };
        ComputedFields: never;
        Insert: {
          "address_id": string;
          "created_at"?: string;
          "organization_id"?: string;
          "rule_id": string;
        };
        Update: {
          "address_id"?: string;
          "created_at"?: string;
          "organization_id"?: string;
          "rule_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notice_rule_addresses_address_fkey";
            columns: ["organization_id", "address_id"];
            isOneToOne: false;
            referencedRelation: "notice_addresses";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "notice_rule_addresses_rule_fkey";
            columns: ["organization_id", "rule_id"];
            isOneToOne: false;
            referencedRelation: "notice_rules";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "notice_rule_members": {
        Row: {
          "created_at": string;
          "organization_id": string;
          "rule_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "organization_id"?: string;
          "rule_id": string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "organization_id"?: string;
          "rule_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notice_rule_members_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
          {
            foreignKeyName: "notice_rule_members_rule_fkey";
            columns: ["organization_id", "rule_id"];
            isOneToOne: false;
            referencedRelation: "notice_rules";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "notice_rule_rooms": {
        Row: {
          "created_at": string;
          "organization_id": string;
          "room_id": string;
          "rule_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id": string;
          "rule_id": string;
        };
        Update: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id"?: string;
          "rule_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notice_rule_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "notice_rule_rooms_rule_fkey";
            columns: ["organization_id", "rule_id"];
            isOneToOne: false;
            referencedRelation: "notice_rules";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "notice_rules": {
        Row: {
          "all_rooms": boolean;
          "counts_from": string;
          "created_at": string;
          "digest_at": string | null;
          "id": string;
          "is_active": boolean;
          "kinds": (string)[];
          "last_minute_hours": number | null;
          "organization_id": string;
          "to_owners": boolean;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "all_rooms"?: boolean;
          "counts_from"?: string;
          "created_at"?: string;
          "digest_at"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "kinds": (string)[];
          "last_minute_hours"?: number | null;
          "organization_id"?: string;
          "to_owners"?: boolean;
          "updated_at"?: string;
        };
        Update: {
          "all_rooms"?: boolean;
          "counts_from"?: string;
          "created_at"?: string;
          "digest_at"?: string | null;
          "id"?: string;
          "is_active"?: boolean;
          "kinds"?: (string)[];
          "last_minute_hours"?: number | null;
          "organization_id"?: string;
          "to_owners"?: boolean;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notice_rules_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "notification_preferences": {
        Row: {
          "in_app": boolean;
          "mail": boolean;
          "organization_id": string;
          "type":
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "in_app": boolean;
          "mail": boolean;
          "organization_id": string;
          "type":
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id": string;
        };
        Update: {
          "in_app"?: boolean;
          "mail"?: boolean;
          "organization_id"?: string;
          "type"?:
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notification_preferences_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
        ];
      };
      "notifications": {
        Row: {
          "booking_id": string | null;
          "created_at": string;
          "data": NonNullable<Json>;
          "event_id": string | null;
          "id": string;
          "organization_id": string;
          "read_at": string | null;
          "type":
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id"?: string | null;
          "created_at": string;
          "data": NonNullable<Json>;
          "event_id"?: string | null;
          "id"?: string;
          "organization_id": string;
          "read_at"?: string | null;
          "type":
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id": string;
        };
        Update: {
          "booking_id"?: string | null;
          "created_at"?: string;
          "data"?: NonNullable<Json>;
          "event_id"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "read_at"?: string | null;
          "type"?:
            | "booking_new"
            | "booking_changed"
            | "booking_cancelled"
            | "booking_paid_late"
            | "payment_disputed"
            | "mail_problem"
            | "last_minute"
            | "session_assigned"
            | "session_released"
            | "session_changed"
            | "day_board";
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "notifications_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "notifications_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
        ];
      };
      "organization_exports": {
        Row: {
          "created_at": string;
          "finished_at": string | null;
          "id": string;
          "object_path": string | null;
          "organization_id": string;
          "requested_by": string | null;
          "row_count": number | null;
          "status": "queued" | "finished" | "failed";
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "finished_at"?: string | null;
          "id"?: string;
          "object_path"?: string | null;
          "organization_id": string;
          "requested_by"?: string | null;
          "row_count"?: number | null;
          "status"?: "queued" | "finished" | "failed";
        };
        Update: {
          "created_at"?: string;
          "finished_at"?: string | null;
          "id"?: string;
          "object_path"?: string | null;
          "organization_id"?: string;
          "requested_by"?: string | null;
          "row_count"?: number | null;
          "status"?: "queued" | "finished" | "failed";
        };
        Relationships: [
          {
            foreignKeyName: "organization_exports_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "organization_exports_requested_by_fkey";
            columns: ["requested_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "organizations": {
        Row: {
          "business_type":
            | "escape_room"
            | "outdoor_game"
            | "virtual_reality"
            | "laser_tag"
            | "board_games"
            | "activity_center"
            | "other"
            | null;
          "closed_at": string | null;
          "contact_email": string | null;
          "created_at": string;
          "currency": string;
          "delayed_methods": boolean;
          "descriptions": NonNullable<Json>;
          "id": string;
          "late_shares": "organizer" | "release";
          "legal_name": string | null;
          "locale": string;
          "logo_path": string | null;
          "name": string;
          "pay_at_venue": boolean;
          "phone": string | null;
          "rest_online_minutes": number | null;
          "sales_end_at": string | null;
          "slug": string;
          "small_amounts": "at_venue" | "round_up";
          "split_hold_hours": number | null;
          "status": "active" | "suspended" | "closed";
          "tax_id": string | null;
          "timezone": string;
          "updated_at": string;
          "website": string | null;
          "writes_end_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "business_type"?:
            | "escape_room"
            | "outdoor_game"
            | "virtual_reality"
            | "laser_tag"
            | "board_games"
            | "activity_center"
            | "other"
            | null;
          "closed_at"?: string | null;
          "contact_email"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "delayed_methods"?: boolean;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "late_shares"?: "organizer" | "release";
          "legal_name"?: string | null;
          "locale"?: string;
          "logo_path"?: string | null;
          "name": string;
          "pay_at_venue"?: boolean;
          "phone"?: string | null;
          "rest_online_minutes"?: number | null;
          "sales_end_at"?: string | null;
          "slug": string;
          "small_amounts"?: "at_venue" | "round_up";
          "split_hold_hours"?: number | null;
          "status"?: "active" | "suspended" | "closed";
          "tax_id"?: string | null;
          "timezone"?: string;
          "updated_at"?: string;
          "website"?: string | null;
          "writes_end_at"?: string | null;
        };
        Update: {
          "business_type"?:
            | "escape_room"
            | "outdoor_game"
            | "virtual_reality"
            | "laser_tag"
            | "board_games"
            | "activity_center"
            | "other"
            | null;
          "closed_at"?: string | null;
          "contact_email"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "delayed_methods"?: boolean;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "late_shares"?: "organizer" | "release";
          "legal_name"?: string | null;
          "locale"?: string;
          "logo_path"?: string | null;
          "name"?: string;
          "pay_at_venue"?: boolean;
          "phone"?: string | null;
          "rest_online_minutes"?: number | null;
          "sales_end_at"?: string | null;
          "slug"?: string;
          "small_amounts"?: "at_venue" | "round_up";
          "split_hold_hours"?: number | null;
          "status"?: "active" | "suspended" | "closed";
          "tax_id"?: string | null;
          "timezone"?: string;
          "updated_at"?: string;
          "website"?: string | null;
          "writes_end_at"?: string | null;
        };
        Relationships: [];
      };
      "payment_shares": {
        Row: {
          "amount_cents": number;
          "booking_id": string;
          "created_at": string;
          "currency": string;
          "ended_reason": "taken_over" | "late" | "changed" | "covered" | "booking_over" | null;
          "expires_at": string;
          "id": string;
          "locale": string;
          "organization_id": string;
          "paid_at": string | null;
          "payer_email": string | null;
          "payer_name": string;
          "position": number;
          "reminded_at": string | null;
          "reminders": number;
          "status": "open" | "paid" | "ended";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "booking_id": string;
          "created_at"?: string;
          "currency": string;
          "ended_reason"?: "taken_over" | "late" | "changed" | "covered" | "booking_over" | null;
          "expires_at": string;
          "id"?: string;
          "locale": string;
          "organization_id": string;
          "paid_at"?: string | null;
          "payer_email"?: string | null;
          "payer_name": string;
          "position": number;
          "reminded_at"?: string | null;
          "reminders"?: number;
          "status"?: "open" | "paid" | "ended";
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number;
          "booking_id"?: string;
          "created_at"?: string;
          "currency"?: string;
          "ended_reason"?: "taken_over" | "late" | "changed" | "covered" | "booking_over" | null;
          "expires_at"?: string;
          "id"?: string;
          "locale"?: string;
          "organization_id"?: string;
          "paid_at"?: string | null;
          "payer_email"?: string | null;
          "payer_name"?: string;
          "position"?: number;
          "reminded_at"?: string | null;
          "reminders"?: number;
          "status"?: "open" | "paid" | "ended";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "payment_shares_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "payment_shares_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "payments": {
        Row: {
          "amount_cents": number;
          "booking_id": string;
          "created_at": string;
          "currency": string;
          "id": string;
          "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at": string;
          "organization_id": string;
          "platform_fee_cents": number;
          "provider_payment_id": string | null;
          "provider_session_id": string | null;
          "recorded_by": NonNullable<Json>;
          "stripe_account": string | null;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "booking_id": string;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at"?: string;
          "organization_id": string;
          "platform_fee_cents"?: number;
          "provider_payment_id"?: string | null;
          "provider_session_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "stripe_account"?: string | null;
        };
        Update: {
          "amount_cents"?: number;
          "booking_id"?: string;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "method"?: "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at"?: string;
          "organization_id"?: string;
          "platform_fee_cents"?: number;
          "provider_payment_id"?: string | null;
          "provider_session_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "stripe_account"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "payments_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "payments_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "permissions": {
        Row: {
          "action": string;
          "category": string;
          "description_en": string;
          "description_es": string;
          "key": string;
          "mutates": boolean;
          "resource": string;
          "rests_in_visits": boolean;
        };
        ComputedFields: never;
        Insert: {
          "action"?: never;
          "category": string;
          "description_en": string;
          "description_es": string;
          "key": string;
          "mutates": boolean;
          "resource"?: never;
          "rests_in_visits": boolean;
        };
        Update: {
          "action"?: never;
          "category"?: string;
          "description_en"?: string;
          "description_es"?: string;
          "key"?: string;
          "mutates"?: boolean;
          "resource"?: never;
          "rests_in_visits"?: boolean;
        };
        Relationships: [];
      };
      "plans": {
        Row: {
          "features": (string)[];
          "fee_basis_points": number;
          "fee_fixed_cents": number;
          "fee_maximum_cents": number | null;
          "fee_minimum_cents": number | null;
          "fee_player_cents": number;
          "is_offered": boolean;
          "key": string;
          "lookup_key_month": string | null;
          "lookup_key_year": string | null;
          "max_bookings_month": number | null;
          "max_calendars": number | null;
          "max_locations": number | null;
          "max_members": number | null;
          "max_rooms": number | null;
          "name_en": string;
          "name_es": string;
          "position": number;
        };
        ComputedFields: never;
        Insert: {
          "features"?: (string)[];
          "fee_basis_points"?: number;
          "fee_fixed_cents"?: number;
          "fee_maximum_cents"?: number | null;
          "fee_minimum_cents"?: number | null;
          "fee_player_cents"?: number;
          "is_offered": boolean;
          "key": string;
          "lookup_key_month"?: string | null;
          "lookup_key_year"?: string | null;
          "max_bookings_month"?: number | null;
          "max_calendars"?: number | null;
          "max_locations"?: number | null;
          "max_members"?: number | null;
          "max_rooms"?: number | null;
          "name_en": string;
          "name_es": string;
          "position": number;
        };
        Update: {
          "features"?: (string)[];
          "fee_basis_points"?: number;
          "fee_fixed_cents"?: number;
          "fee_maximum_cents"?: number | null;
          "fee_minimum_cents"?: number | null;
          "fee_player_cents"?: number;
          "is_offered"?: boolean;
          "key"?: string;
          "lookup_key_month"?: string | null;
          "lookup_key_year"?: string | null;
          "max_bookings_month"?: number | null;
          "max_calendars"?: number | null;
          "max_locations"?: number | null;
          "max_members"?: number | null;
          "max_rooms"?: number | null;
          "name_en"?: string;
          "name_es"?: string;
          "position"?: number;
        };
        Relationships: [];
      };
      "price_overrides": {
        Row: {
          "booking_id": string;
          "created_at": string;
          "organization_id": string;
          "price_cents": number;
          "reason": string;
          "set_by": NonNullable<Json>;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "created_at"?: string;
          "organization_id": string;
          "price_cents": number;
          "reason": string;
          "set_by"?: NonNullable<Json>;
        };
        Update: {
          "booking_id"?: string;
          "created_at"?: string;
          "organization_id"?: string;
          "price_cents"?: number;
          "reason"?: string;
          "set_by"?: NonNullable<Json>;
        };
        Relationships: [
          {
            foreignKeyName: "price_overrides_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: true;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "price_rules": {
        Row: {
          "created_at": string;
          "from_date": string | null;
          "from_time": string;
          "id": string;
          "is_active": boolean;
          "kind": "price" | "percent" | "amount";
          "name": string;
          "organization_id": string;
          "priority": number;
          "room_id": string | null;
          "until_date": string | null;
          "until_time": string;
          "updated_at": string;
          "value": number;
          "weekdays": (number)[];
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "from_date"?: string | null;
          "from_time"?: string;
          "id"?: string;
          "is_active"?: boolean;
          "kind": "price" | "percent" | "amount";
          "name": string;
          "organization_id"?: string;
          "priority"?: number;
          "room_id"?: string | null;
          "until_date"?: string | null;
          "until_time"?: string;
          "updated_at"?: string;
          "value": number;
          "weekdays"?: (number)[];
        };
        Update: {
          "created_at"?: string;
          "from_date"?: string | null;
          "from_time"?: string;
          "id"?: string;
          "is_active"?: boolean;
          "kind"?: "price" | "percent" | "amount";
          "name"?: string;
          "organization_id"?: string;
          "priority"?: number;
          "room_id"?: string | null;
          "until_date"?: string | null;
          "until_time"?: string;
          "updated_at"?: string;
          "value"?: number;
          "weekdays"?: (number)[];
        };
        Relationships: [
          {
            foreignKeyName: "price_rules_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "price_rules_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "price_tiers": {
        Row: {
          "created_at": string;
          "id": string;
          "minimum_party": number;
          "organization_id": string;
          "price_cents": number;
          "room_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "minimum_party": number;
          "organization_id"?: string;
          "price_cents": number;
          "room_id": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "minimum_party"?: number;
          "organization_id"?: string;
          "price_cents"?: number;
          "room_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "price_tiers_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "profiles": {
        Row: {
          "active_organization_id": string | null;
          "created_at": string;
          "email": string;
          "full_name": string;
          "locale": string;
          "phone": string | null;
          "preferences": NonNullable<Json>;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "active_organization_id"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "full_name"?: string;
          "locale"?: string;
          "phone"?: string | null;
          "preferences"?: NonNullable<Json>;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "active_organization_id"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "full_name"?: string;
          "locale"?: string;
          "phone"?: string | null;
          "preferences"?: NonNullable<Json>;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "profiles_active_organization_fkey";
            columns: ["active_organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "refunds": {
        Row: {
          "amount_cents": number;
          "booking_id": string;
          "created_at": string;
          "currency": string;
          "id": string;
          "kind": "refund" | "reversal" | "correction";
          "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at": string;
          "organization_id": string;
          "payment_id": string;
          "provider_refund_id": string | null;
          "recorded_by": NonNullable<Json>;
          "refund_request_id": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "booking_id": string;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "kind"?: "refund" | "reversal" | "correction";
          "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at"?: string;
          "organization_id": string;
          "payment_id": string;
          "provider_refund_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "refund_request_id": string;
        };
        Update: {
          "amount_cents"?: number;
          "booking_id"?: string;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "kind"?: "refund" | "reversal" | "correction";
          "method"?: "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
          "occurred_at"?: string;
          "organization_id"?: string;
          "payment_id"?: string;
          "provider_refund_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "refund_request_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "refunds_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "refunds_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "refunds_payment_fkey";
            columns: ["organization_id", "payment_id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "role_permissions": {
        Row: {
          "organization_id": string;
          "permission_key": string;
          "role_id": string;
        };
        ComputedFields: never;
        Insert: {
          "organization_id": string;
          "permission_key": string;
          "role_id": string;
        };
        Update: {
          "organization_id"?: string;
          "permission_key"?: string;
          "role_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "role_permissions_permission_fkey";
            columns: ["permission_key"];
            isOneToOne: false;
            referencedRelation: "permissions";
            referencedColumns: ["key"];
          },
          {
            foreignKeyName: "role_permissions_role_fkey";
            columns: ["organization_id", "role_id"];
            isOneToOne: false;
            referencedRelation: "roles";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "roles": {
        Row: {
          "created_at": string;
          "description": string;
          "id": string;
          "is_system": boolean;
          "key": string;
          "name": string;
          "organization_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string;
          "id"?: string;
          "is_system"?: boolean;
          "key": string;
          "name": string;
          "organization_id": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "description"?: string;
          "id"?: string;
          "is_system"?: boolean;
          "key"?: string;
          "name"?: string;
          "organization_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "roles_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "room_blocks": {
        Row: {
          "cancelled_at": string | null;
          "created_at": string;
          "ends_at": string;
          "id": string;
          "location_id": string | null;
          "organization_id": string;
          "reason": string;
          "repeats": "none" | "daily" | "weekly";
          "room_id": string | null;
          "starts_at": string;
          "until": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "cancelled_at"?: string | null;
          "created_at"?: string;
          "ends_at": string;
          "id"?: string;
          "location_id"?: string | null;
          "organization_id": string;
          "reason"?: string;
          "repeats": "none" | "daily" | "weekly";
          "room_id"?: string | null;
          "starts_at": string;
          "until"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "cancelled_at"?: string | null;
          "created_at"?: string;
          "ends_at"?: string;
          "id"?: string;
          "location_id"?: string | null;
          "organization_id"?: string;
          "reason"?: string;
          "repeats"?: "none" | "daily" | "weekly";
          "room_id"?: string | null;
          "starts_at"?: string;
          "until"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "room_blocks_location_fkey";
            columns: ["organization_id", "location_id"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "room_blocks_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "room_blocks_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "room_cancellation_tiers": {
        Row: {
          "created_at": string;
          "hours_before": number;
          "id": string;
          "organization_id": string;
          "refund_percent": number;
          "room_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "hours_before": number;
          "id"?: string;
          "organization_id"?: string;
          "refund_percent": number;
          "room_id": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "hours_before"?: number;
          "id"?: string;
          "organization_id"?: string;
          "refund_percent"?: number;
          "room_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "room_cancellation_tiers_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "room_images": {
        Row: {
          "alt": NonNullable<Json>;
          "created_at": string;
          "id": string;
          "organization_id": string;
          "path": string;
          "position": number;
          "room_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "alt"?: NonNullable<Json>;
          "created_at"?: string;
          "id"?: string;
          "organization_id"?: string;
          "path": string;
          "position"?: number;
          "room_id": string;
          "updated_at"?: string;
        };
        Update: {
          "alt"?: NonNullable<Json>;
          "created_at"?: string;
          "id"?: string;
          "organization_id"?: string;
          "path"?: string;
          "position"?: number;
          "room_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "room_images_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "room_incidents": {
        Row: {
          "block_id": string | null;
          "created_at": string;
          "description": string;
          "id": string;
          "item_id": string | null;
          "organization_id": string;
          "reported_by": NonNullable<Json>;
          "resolution": string;
          "room_id": string;
          "session_id": string | null;
          "solved_at": string | null;
          "status": "open" | "in_repair" | "solved";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "block_id"?: string | null;
          "created_at"?: string;
          "description": string;
          "id"?: string;
          "item_id"?: string | null;
          "organization_id": string;
          "reported_by"?: NonNullable<Json>;
          "resolution"?: string;
          "room_id": string;
          "session_id"?: string | null;
          "solved_at"?: string | null;
          "status"?: "open" | "in_repair" | "solved";
          "updated_at"?: string;
        };
        Update: {
          "block_id"?: string | null;
          "created_at"?: string;
          "description"?: string;
          "id"?: string;
          "item_id"?: string | null;
          "organization_id"?: string;
          "reported_by"?: NonNullable<Json>;
          "resolution"?: string;
          "room_id"?: string;
          "session_id"?: string | null;
          "solved_at"?: string | null;
          "status"?: "open" | "in_repair" | "solved";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "room_incidents_block_fkey";
            columns: ["organization_id", "block_id"];
            isOneToOne: false;
            referencedRelation: "room_blocks";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "room_incidents_item_fkey";
            columns: ["organization_id", "item_id"];
            isOneToOne: false;
            referencedRelation: "checklist_items";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "room_incidents_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "room_incidents_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "rooms": {
        Row: {
          "capacity_limit": number | null;
          "color": string | null;
          "created_at": string;
          "deposit_kind": "full" | "none" | "percent" | "fixed" | "person";
          "deposit_value": number;
          "description": string;
          "descriptions": NonNullable<Json>;
          "difficulty": number | null;
          "duration_minutes": number;
          "exclusive_price_cents": number | null;
          "fear": number | null;
          "has_actors": boolean;
          "id": string;
          "is_accessible": boolean;
          "is_archived": boolean;
          "is_published": boolean;
          "languages": (string)[];
          "location_id": string;
          "maximum_party": number;
          "minimum_age": number | null;
          "minimum_age_accompanied": number | null;
          "minimum_party": number;
          "mode": "private" | "shared";
          "name": string;
          "names": NonNullable<Json>;
          "no_show_fee_percent": number;
          "organization_id": string;
          "physical_level": number | null;
          "price_cents": number;
          "price_per": "person" | "session";
          "slug": string;
          "tags": (string)[];
          "tax_rate_bp": number;
          "theme":
            | "adventure"
            | "comedy"
            | "crime"
            | "family"
            | "fantasy"
            | "history"
            | "horror"
            | "mystery"
            | "science_fiction"
            | "other"
            | null;
          "turnaround_minutes": number;
          "updated_at": string;
          "video_url": string | null;
          "waiver_policy": "none" | "optional" | "required";
        };
        ComputedFields: never;
        Insert: {
          "capacity_limit"?: number | null;
          "color"?: string | null;
          "created_at"?: string;
          "deposit_kind"?: "full" | "none" | "percent" | "fixed" | "person";
          "deposit_value"?: number;
          "description"?: string;
          "descriptions"?: NonNullable<Json>;
          "difficulty"?: number | null;
          "duration_minutes"?: number;
          "exclusive_price_cents"?: number | null;
          "fear"?: number | null;
          "has_actors"?: boolean;
          "id"?: string;
          "is_accessible"?: boolean;
          "is_archived"?: boolean;
          "is_published"?: boolean;
          "languages"?: (string)[];
          "location_id": string;
          "maximum_party"?: number;
          "minimum_age"?: number | null;
          "minimum_age_accompanied"?: number | null;
          "minimum_party"?: number;
          "mode"?: "private" | "shared";
          "name": string;
          "names"?: NonNullable<Json>;
          "no_show_fee_percent"?: number;
          "organization_id"?: string;
          "physical_level"?: number | null;
          "price_cents": number;
          "price_per"?: "person" | "session";
          "slug": string;
          "tags"?: (string)[];
          "tax_rate_bp"?: number;
          "theme"?:
            | "adventure"
            | "comedy"
            | "crime"
            | "family"
            | "fantasy"
            | "history"
            | "horror"
            | "mystery"
            | "science_fiction"
            | "other"
            | null;
          "turnaround_minutes"?: number;
          "updated_at"?: string;
          "video_url"?: string | null;
          "waiver_policy"?: "none" | "optional" | "required";
        };
        Update: {
          "capacity_limit"?: number | null;
          "color"?: string | null;
          "created_at"?: string;
          "deposit_kind"?: "full" | "none" | "percent" | "fixed" | "person";
          "deposit_value"?: number;
          "description"?: string;
          "descriptions"?: NonNullable<Json>;
          "difficulty"?: number | null;
          "duration_minutes"?: number;
          "exclusive_price_cents"?: number | null;
          "fear"?: number | null;
          "has_actors"?: boolean;
          "id"?: string;
          "is_accessible"?: boolean;
          "is_archived"?: boolean;
          "is_published"?: boolean;
          "languages"?: (string)[];
          "location_id"?: string;
          "maximum_party"?: number;
          "minimum_age"?: number | null;
          "minimum_age_accompanied"?: number | null;
          "minimum_party"?: number;
          "mode"?: "private" | "shared";
          "name"?: string;
          "names"?: NonNullable<Json>;
          "no_show_fee_percent"?: number;
          "organization_id"?: string;
          "physical_level"?: number | null;
          "price_cents"?: number;
          "price_per"?: "person" | "session";
          "slug"?: string;
          "tags"?: (string)[];
          "tax_rate_bp"?: number;
          "theme"?:
            | "adventure"
            | "comedy"
            | "crime"
            | "family"
            | "fantasy"
            | "history"
            | "horror"
            | "mystery"
            | "science_fiction"
            | "other"
            | null;
          "turnaround_minutes"?: number;
          "updated_at"?: string;
          "video_url"?: string | null;
          "waiver_policy"?: "none" | "optional" | "required";
        };
        Relationships: [
          {
            foreignKeyName: "rooms_location_fkey";
            columns: ["organization_id", "location_id"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "saved_reports": {
        Row: {
          "created_at": string;
          "id": string;
          "name": string;
          "organization_id": string;
          "statement": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "organization_id"?: string;
          "statement": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "statement"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "saved_reports_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "schedule_exceptions": {
        Row: {
          "closes_at": string | null;
          "created_at": string;
          "date": string;
          "id": string;
          "is_closed": boolean;
          "location_id": string | null;
          "opens_at": string | null;
          "organization_id": string;
          "reason": string;
          "room_id": string | null;
          "slot_interval_minutes": number | null;
          "start_times": (string)[] | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "closes_at"?: string | null;
          "created_at"?: string;
          "date": string;
          "id"?: string;
          "is_closed"?: boolean;
          "location_id"?: string | null;
          "opens_at"?: string | null;
          "organization_id"?: string;
          "reason"?: string;
          "room_id"?: string | null;
          "slot_interval_minutes"?: number | null;
          "start_times"?: (string)[] | null;
          "updated_at"?: string;
        };
        Update: {
          "closes_at"?: string | null;
          "created_at"?: string;
          "date"?: string;
          "id"?: string;
          "is_closed"?: boolean;
          "location_id"?: string | null;
          "opens_at"?: string | null;
          "organization_id"?: string;
          "reason"?: string;
          "room_id"?: string | null;
          "slot_interval_minutes"?: number | null;
          "start_times"?: (string)[] | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "schedule_exceptions_location_fkey";
            columns: ["organization_id", "location_id"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "schedule_exceptions_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "schedules": {
        Row: {
          "closes_at": string;
          "created_at": string;
          "id": string;
          "opens_at": string;
          "organization_id": string;
          "room_id": string;
          "slot_interval_minutes": number | null;
          "start_times": (string)[] | null;
          "updated_at": string;
          "weekday": number;
        };
        ComputedFields: never;
        Insert: {
          "closes_at": string;
          "created_at"?: string;
          "id"?: string;
          "opens_at": string;
          "organization_id"?: string;
          "room_id": string;
          "slot_interval_minutes"?: number | null;
          "start_times"?: (string)[] | null;
          "updated_at"?: string;
          "weekday": number;
        };
        Update: {
          "closes_at"?: string;
          "created_at"?: string;
          "id"?: string;
          "opens_at"?: string;
          "organization_id"?: string;
          "room_id"?: string;
          "slot_interval_minutes"?: number | null;
          "start_times"?: (string)[] | null;
          "updated_at"?: string;
          "weekday"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "schedules_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "sender_domains": {
        Row: {
          "checked_at": string | null;
          "created_at": string;
          "domain": string;
          "id": string;
          "local_part": string;
          "organization_id": string;
          "proof": string;
          "proven_at": string | null;
          "provider_id": string | null;
          "records": (Database["public"]["CompositeTypes"]["dns_record"])[];
          "status": "pending" | "verified" | "failed";
          "updated_at": string;
          "verified_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "checked_at"?: string | null;
          "created_at"?: string;
          "domain": string;
          "id"?: string;
          "local_part"?: string;
          "organization_id"?: string;
          "proof"?: string;
          "proven_at"?: string | null;
          "provider_id"?: string | null;
          "records"?: (Database["public"]["CompositeTypes"]["dns_record"])[];
          "status"?: "pending" | "verified" | "failed";
          "updated_at"?: string;
          "verified_at"?: string | null;
        };
        Update: {
          "checked_at"?: string | null;
          "created_at"?: string;
          "domain"?: string;
          "id"?: string;
          "local_part"?: string;
          "organization_id"?: string;
          "proof"?: string;
          "proven_at"?: string | null;
          "provider_id"?: string | null;
          "records"?: (Database["public"]["CompositeTypes"]["dns_record"])[];
          "status"?: "pending" | "verified" | "failed";
          "updated_at"?: string;
          "verified_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "sender_domains_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "session_staff": {
        Row: {
          "created_at": string;
          "during": unknown;
          "organization_id": string;
          "session_id": string;
          "source": "assigned" | "claimed" | "automatic";
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "during": unknown;
          "organization_id": string;
          "session_id": string;
          "source": "assigned" | "claimed" | "automatic";
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "during"?: unknown;
          "organization_id"?: string;
          "session_id"?: string;
          "source"?: "assigned" | "claimed" | "automatic";
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "session_staff_session_fkey";
            columns: ["organization_id", "session_id"];
            isOneToOne: false;
            referencedRelation: "sessions";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "session_staff_user_fkey";
            columns: ["user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
        ];
      };
      "sessions": {
        Row: {
          "block_id": string | null;
          "capacity": number;
          "created_at": string;
          "during": unknown;
          "ends_at": string;
          "id": string;
          "mode": "private" | "shared" | "block";
          "occupied_until": string;
          "organization_id": string;
          "reason": string;
          "room_id": string;
          "seats_taken": number;
          "starts_at": string;
          "status": "scheduled" | "cancelled";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "block_id"?: string | null;
          "capacity": number;
          "created_at"?: string;
          "during"?: never;
          "ends_at": string;
          "id"?: string;
          "mode": "private" | "shared" | "block";
          "occupied_until": string;
          "organization_id": string;
          "reason"?: string;
          "room_id": string;
          "seats_taken": number;
          "starts_at": string;
          "status"?: "scheduled" | "cancelled";
          "updated_at"?: string;
        };
        Update: {
          "block_id"?: string | null;
          "capacity"?: number;
          "created_at"?: string;
          "during"?: never;
          "ends_at"?: string;
          "id"?: string;
          "mode"?: "private" | "shared" | "block";
          "occupied_until"?: string;
          "organization_id"?: string;
          "reason"?: string;
          "room_id"?: string;
          "seats_taken"?: number;
          "starts_at"?: string;
          "status"?: "scheduled" | "cancelled";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "sessions_block_fkey";
            columns: ["organization_id", "block_id"];
            isOneToOne: false;
            referencedRelation: "room_blocks";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "sessions_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "staff_shifts": {
        Row: {
          "created_at": string;
          "date": string;
          "ends_at": string;
          "from_time": string;
          "id": string;
          "location_id": string;
          "organization_id": string;
          "starts_at": string;
          "timezone": string;
          "to_time": string;
          "updated_at": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "date": string;
          "ends_at"?: never;
          "from_time": string;
          "id"?: string;
          "location_id": string;
          "organization_id"?: string;
          "starts_at"?: never;
          "timezone"?: string;
          "to_time": string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "date"?: string;
          "ends_at"?: never;
          "from_time"?: string;
          "id"?: string;
          "location_id"?: string;
          "organization_id"?: string;
          "starts_at"?: never;
          "timezone"?: string;
          "to_time"?: string;
          "updated_at"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "staff_shifts_location_fkey";
            columns: ["organization_id", "location_id", "timezone"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id", "timezone"];
          },
          {
            foreignKeyName: "staff_shifts_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
        ];
      };
      "staff_skills": {
        Row: {
          "created_at": string;
          "organization_id": string;
          "room_id": string;
          "user_id": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id": string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "organization_id"?: string;
          "room_id"?: string;
          "user_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "staff_skills_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
          {
            foreignKeyName: "staff_skills_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "start_group_rooms": {
        Row: {
          "group_id": string;
          "organization_id": string;
          "room_id": string;
        };
        ComputedFields: never;
        Insert: {
          "group_id": string;
          "organization_id"?: string;
          "room_id": string;
        };
        Update: {
          "group_id"?: string;
          "organization_id"?: string;
          "room_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "start_group_rooms_group_fkey";
            columns: ["organization_id", "group_id"];
            isOneToOne: false;
            referencedRelation: "start_groups";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "start_group_rooms_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "start_groups": {
        Row: {
          "created_at": string;
          "id": string;
          "minutes": number;
          "name": string;
          "organization_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "minutes": number;
          "name": string;
          "organization_id"?: string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "minutes"?: number;
          "name"?: string;
          "organization_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "stripe_accounts": {
        Row: {
          "account_id": string | null;
          "as_of": string | null;
          "charges_enabled": boolean;
          "chosen_at": string;
          "created_at": string;
          "deauthorized_at": string | null;
          "details_submitted": boolean;
          "disabled_reason": string | null;
          "id": string;
          "organization_id": string;
          "payouts_enabled": boolean;
          "requirements": (string)[];
          "requirements_due_at": string | null;
          "retired_at": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "account_id"?: string | null;
          "as_of"?: string | null;
          "charges_enabled"?: boolean;
          "chosen_at"?: string;
          "created_at"?: string;
          "deauthorized_at"?: string | null;
          "details_submitted"?: boolean;
          "disabled_reason"?: string | null;
          "id"?: string;
          "organization_id": string;
          "payouts_enabled"?: boolean;
          "requirements"?: (string)[];
          "requirements_due_at"?: string | null;
          "retired_at"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "account_id"?: string | null;
          "as_of"?: string | null;
          "charges_enabled"?: boolean;
          "chosen_at"?: string;
          "created_at"?: string;
          "deauthorized_at"?: string | null;
          "details_submitted"?: boolean;
          "disabled_reason"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "payouts_enabled"?: boolean;
          "requirements"?: (string)[];
          "requirements_due_at"?: string | null;
          "retired_at"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "stripe_accounts_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "subscriptions": {
        Row: {
          "amount_cents": number | null;
          "billing_interval": "month" | "year" | null;
          "cancel_at": string | null;
          "created_at": string;
          "currency": string | null;
          "current_period_end": string | null;
          "current_period_start": string | null;
          "due_cents": number;
          "grace_until": string | null;
          "granted_plan_key": "free" | "pro" | "starter" | null;
          "granted_until": string | null;
          "next_plan_key": "free" | "pro" | "starter" | null;
          "organization_id": string;
          "other_subscription_ids": (string)[];
          "overdue_since": string | null;
          "plan_key": "free" | "pro" | "starter" | null;
          "status":
            | "trialing"
            | "active"
            | "past_due"
            | "unpaid"
            | "canceled"
            | "incomplete"
            | "incomplete_expired"
            | "paused"
            | null;
          "stripe_subscription_id": string | null;
          "trial_end": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents"?: number | null;
          "billing_interval"?: "month" | "year" | null;
          "cancel_at"?: string | null;
          "created_at"?: string;
          "currency"?: string | null;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "due_cents"?: number;
          "grace_until"?: string | null;
          "granted_plan_key"?: "free" | "pro" | "starter" | null;
          "granted_until"?: string | null;
          "next_plan_key"?: "free" | "pro" | "starter" | null;
          "organization_id": string;
          "other_subscription_ids"?: (string)[];
          "overdue_since"?: string | null;
          "plan_key"?: "free" | "pro" | "starter" | null;
          "status"?:
            | "trialing"
            | "active"
            | "past_due"
            | "unpaid"
            | "canceled"
            | "incomplete"
            | "incomplete_expired"
            | "paused"
            | null;
          "stripe_subscription_id"?: string | null;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number | null;
          "billing_interval"?: "month" | "year" | null;
          "cancel_at"?: string | null;
          "created_at"?: string;
          "currency"?: string | null;
          "current_period_end"?: string | null;
          "current_period_start"?: string | null;
          "due_cents"?: number;
          "grace_until"?: string | null;
          "granted_plan_key"?: "free" | "pro" | "starter" | null;
          "granted_until"?: string | null;
          "next_plan_key"?: "free" | "pro" | "starter" | null;
          "organization_id"?: string;
          "other_subscription_ids"?: (string)[];
          "overdue_since"?: string | null;
          "plan_key"?: "free" | "pro" | "starter" | null;
          "status"?:
            | "trialing"
            | "active"
            | "past_due"
            | "unpaid"
            | "canceled"
            | "incomplete"
            | "incomplete_expired"
            | "paused"
            | null;
          "stripe_subscription_id"?: string | null;
          "trial_end"?: string | null;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "subscriptions_granted_plan_fkey";
            columns: ["granted_plan_key"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["key"];
          },
          {
            foreignKeyName: "subscriptions_next_plan_fkey";
            columns: ["next_plan_key"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["key"];
          },
          {
            foreignKeyName: "subscriptions_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: true;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "subscriptions_plan_fkey";
            columns: ["plan_key"];
            isOneToOne: false;
            referencedRelation: "plans";
            referencedColumns: ["key"];
          },
        ];
      };
      "support_entries": {
        Row: {
          "admin_user_id": string;
          "ended_at": string | null;
          "expires_at": string;
          "id": string;
          "organization_id": string;
          "reason": string;
          "role_key": string;
          "started_at": string;
        };
        ComputedFields: never;
        Insert: {
          "admin_user_id": string;
          "ended_at"?: string | null;
          "expires_at": string;
          "id"?: string;
          "organization_id": string;
          "reason": string;
          "role_key": string;
          "started_at"?: string;
        };
        Update: {
          "admin_user_id"?: string;
          "ended_at"?: string | null;
          "expires_at"?: string;
          "id"?: string;
          "organization_id"?: string;
          "reason"?: string;
          "role_key"?: string;
          "started_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "support_entries_admin_fkey";
            columns: ["admin_user_id"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "support_entries_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "table_exports": {
        Row: {
          "created_at": string;
          "expires_at": string | null;
          "finished_at": string | null;
          "format": "csv" | "xlsx" | "pdf";
          "from_date": string | null;
          "id": string;
          "kind": "bookings" | "payments" | "customers" | "waivers" | "results" | "month";
          "locale": string;
          "location_id": string | null;
          "object_path": string | null;
          "organization_id": string;
          "permissions": (string)[];
          "progress": number;
          "room_id": string | null;
          "row_count": number | null;
          "row_total": number | null;
          "status": "queued" | "finished" | "failed";
          "to_date": string | null;
          "user_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "finished_at"?: string | null;
          "format": "csv" | "xlsx" | "pdf";
          "from_date"?: string | null;
          "id"?: string;
          "kind": "bookings" | "payments" | "customers" | "waivers" | "results" | "month";
          "locale": string;
          "location_id"?: string | null;
          "object_path"?: string | null;
          "organization_id": string;
          "permissions": (string)[];
          "progress"?: number;
          "room_id"?: string | null;
          "row_count"?: number | null;
          "row_total"?: number | null;
          "status"?: "queued" | "finished" | "failed";
          "to_date"?: string | null;
          "user_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "finished_at"?: string | null;
          "format"?: "csv" | "xlsx" | "pdf";
          "from_date"?: string | null;
          "id"?: string;
          "kind"?: "bookings" | "payments" | "customers" | "waivers" | "results" | "month";
          "locale"?: string;
          "location_id"?: string | null;
          "object_path"?: string | null;
          "organization_id"?: string;
          "permissions"?: (string)[];
          "progress"?: number;
          "room_id"?: string | null;
          "row_count"?: number | null;
          "row_total"?: number | null;
          "status"?: "queued" | "finished" | "failed";
          "to_date"?: string | null;
          "user_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "table_exports_member_fkey";
            columns: ["organization_id", "user_id"];
            isOneToOne: false;
            referencedRelation: "memberships";
            referencedColumns: ["organization_id", "user_id"];
          },
          {
            foreignKeyName: "table_exports_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "tags": {
        Row: {
          "color": string | null;
          "created_at": string;
          "id": string;
          "name": string;
          "organization_id": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "color"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "organization_id"?: string;
          "updated_at"?: string;
        };
        Update: {
          "color"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "tags_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "voucher_disputes": {
        Row: {
          "amount_cents": number;
          "as_of": string;
          "created_at": string;
          "currency": string;
          "id": string;
          "order_id": string;
          "organization_id": string;
          "provider_dispute_id": string;
          "reason": string;
          "respond_by": string | null;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "as_of": string;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "order_id": string;
          "organization_id": string;
          "provider_dispute_id": string;
          "reason": string;
          "respond_by"?: string | null;
          "status": string;
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number;
          "as_of"?: string;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "order_id"?: string;
          "organization_id"?: string;
          "provider_dispute_id"?: string;
          "reason"?: string;
          "respond_by"?: string | null;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_disputes_order_fkey";
            columns: ["organization_id", "order_id"];
            isOneToOne: false;
            referencedRelation: "voucher_orders";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "voucher_entries": {
        Row: {
          "amount_cents": number;
          "created_at": string;
          "id": string;
          "kind": "issued" | "redeemed" | "returned" | "cancelled" | "revoked" | "restored";
          "organization_id": string;
          "payment_id": string | null;
          "recorded_by": NonNullable<Json>;
          "voucher_id": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "created_at"?: string;
          "id"?: string;
          "kind": "issued" | "redeemed" | "returned" | "cancelled" | "revoked" | "restored";
          "organization_id": string;
          "payment_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "voucher_id": string;
        };
        Update: {
          "amount_cents"?: number;
          "created_at"?: string;
          "id"?: string;
          "kind"?: "issued" | "redeemed" | "returned" | "cancelled" | "revoked" | "restored";
          "organization_id"?: string;
          "payment_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
          "voucher_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_entries_payment_fkey";
            columns: ["organization_id", "payment_id"];
            isOneToOne: false;
            referencedRelation: "payments";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "voucher_entries_voucher_fkey";
            columns: ["organization_id", "voucher_id"];
            isOneToOne: false;
            referencedRelation: "vouchers";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "voucher_orders": {
        Row: {
          "accepted_terms": string;
          "amount_cents": number;
          "as_of": string | null;
          "buyer_email": string | null;
          "buyer_name": string;
          "calendar_id": string | null;
          "created_at": string;
          "currency": string;
          "deliver_on": string | null;
          "expires_at": string | null;
          "id": string;
          "locale": string;
          "message": string;
          "opened_at": string | null;
          "organization_id": string;
          "paid_at": string | null;
          "platform_fee_cents": number;
          "product_id": string | null;
          "product_names": Json | null;
          "provider_payment_id": string | null;
          "recipient_email": string | null;
          "recipient_name": string;
          "refund_days": number;
          "session_id": string | null;
          "status": "open" | "failed" | "expired" | "paid";
          "stripe_account": string | null;
          "updated_at": string;
          "validity_months": number | null;
          "voucher_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "accepted_terms"?: string;
          "amount_cents": number;
          "as_of"?: string | null;
          "buyer_email"?: string | null;
          "buyer_name": string;
          "calendar_id"?: string | null;
          "created_at"?: string;
          "currency": string;
          "deliver_on"?: string | null;
          "expires_at"?: string | null;
          "id"?: string;
          "locale": string;
          "message"?: string;
          "opened_at"?: string | null;
          "organization_id": string;
          "paid_at"?: string | null;
          "platform_fee_cents"?: number;
          "product_id"?: string | null;
          "product_names"?: Json | null;
          "provider_payment_id"?: string | null;
          "recipient_email"?: string | null;
          "recipient_name"?: string;
          "refund_days": number;
          "session_id"?: string | null;
          "status"?: "open" | "failed" | "expired" | "paid";
          "stripe_account"?: string | null;
          "updated_at"?: string;
          "validity_months"?: number | null;
          "voucher_id"?: string | null;
        };
        Update: {
          "accepted_terms"?: string;
          "amount_cents"?: number;
          "as_of"?: string | null;
          "buyer_email"?: string | null;
          "buyer_name"?: string;
          "calendar_id"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "deliver_on"?: string | null;
          "expires_at"?: string | null;
          "id"?: string;
          "locale"?: string;
          "message"?: string;
          "opened_at"?: string | null;
          "organization_id"?: string;
          "paid_at"?: string | null;
          "platform_fee_cents"?: number;
          "product_id"?: string | null;
          "product_names"?: Json | null;
          "provider_payment_id"?: string | null;
          "recipient_email"?: string | null;
          "recipient_name"?: string;
          "refund_days"?: number;
          "session_id"?: string | null;
          "status"?: "open" | "failed" | "expired" | "paid";
          "stripe_account"?: string | null;
          "updated_at"?: string;
          "validity_months"?: number | null;
          "voucher_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_orders_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "voucher_orders_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "voucher_orders_product_fkey";
            columns: ["organization_id", "product_id"];
            isOneToOne: false;
            referencedRelation: "voucher_products";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "voucher_orders_voucher_fkey";
            columns: ["organization_id", "voucher_id"];
            isOneToOne: true;
            referencedRelation: "vouchers";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "voucher_products": {
        Row: {
          "amount_cents": number;
          "created_at": string;
          "descriptions": NonNullable<Json>;
          "id": string;
          "is_active": boolean;
          "names": NonNullable<Json>;
          "organization_id": string;
          "position": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "is_active"?: boolean;
          "names": NonNullable<Json>;
          "organization_id"?: string;
          "position"?: number;
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number;
          "created_at"?: string;
          "descriptions"?: NonNullable<Json>;
          "id"?: string;
          "is_active"?: boolean;
          "names"?: NonNullable<Json>;
          "organization_id"?: string;
          "position"?: number;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_products_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "voucher_refunds": {
        Row: {
          "amount_cents": number;
          "as_of": string | null;
          "created_at": string;
          "currency": string;
          "id": string;
          "order_id": string;
          "organization_id": string;
          "provider_refund_id": string | null;
          "reason": "staff" | "provider";
          "requested_by": NonNullable<Json>;
          "status": "pending" | "succeeded" | "failed" | "withdrawn";
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "as_of"?: string | null;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "order_id": string;
          "organization_id": string;
          "provider_refund_id"?: string | null;
          "reason": "staff" | "provider";
          "requested_by"?: NonNullable<Json>;
          "status"?: "pending" | "succeeded" | "failed" | "withdrawn";
          "updated_at"?: string;
        };
        Update: {
          "amount_cents"?: number;
          "as_of"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "order_id"?: string;
          "organization_id"?: string;
          "provider_refund_id"?: string | null;
          "reason"?: "staff" | "provider";
          "requested_by"?: NonNullable<Json>;
          "status"?: "pending" | "succeeded" | "failed" | "withdrawn";
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_refunds_order_fkey";
            columns: ["organization_id", "order_id"];
            isOneToOne: false;
            referencedRelation: "voucher_orders";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "voucher_settings": {
        Row: {
          "created_at": string;
          "is_sold": boolean;
          "maximum_cents": number | null;
          "minimum_cents": number | null;
          "organization_id": string;
          "refund_days": number;
          "updated_at": string;
          "validity_months": number | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "is_sold": boolean;
          "maximum_cents"?: number | null;
          "minimum_cents"?: number | null;
          "organization_id": string;
          "refund_days": number;
          "updated_at"?: string;
          "validity_months"?: number | null;
        };
        Update: {
          "created_at"?: string;
          "is_sold"?: boolean;
          "maximum_cents"?: number | null;
          "minimum_cents"?: number | null;
          "organization_id"?: string;
          "refund_days"?: number;
          "updated_at"?: string;
          "validity_months"?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "voucher_settings_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: true;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "vouchers": {
        Row: {
          "balance_cents": number;
          "code": string;
          "created_at": string;
          "currency": string;
          "expired_at": string | null;
          "id": string;
          "locale": string;
          "message": string;
          "organization_id": string;
          "recipient_email": string | null;
          "recipient_name": string;
          "status": "active" | "blocked" | "cancelled";
          "updated_at": string;
          "valid_until": string | null;
        };
        ComputedFields: never;
        Insert: {
          "balance_cents"?: number;
          "code": string;
          "created_at"?: string;
          "currency": string;
          "expired_at"?: string | null;
          "id"?: string;
          "locale": string;
          "message"?: string;
          "organization_id": string;
          "recipient_email"?: string | null;
          "recipient_name"?: string;
          "status"?: "active" | "blocked" | "cancelled";
          "updated_at"?: string;
          "valid_until"?: string | null;
        };
        Update: {
          "balance_cents"?: number;
          "code"?: string;
          "created_at"?: string;
          "currency"?: string;
          "expired_at"?: string | null;
          "id"?: string;
          "locale"?: string;
          "message"?: string;
          "organization_id"?: string;
          "recipient_email"?: string | null;
          "recipient_name"?: string;
          "status"?: "active" | "blocked" | "cancelled";
          "updated_at"?: string;
          "valid_until"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "vouchers_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "waitlist_entries": {
        Row: {
          "booking_id": string | null;
          "calendar_id": string;
          "consents": NonNullable<Json>;
          "contact_name": string;
          "contact_phone": string | null;
          "created_at": string;
          "customer_id": string;
          "fields": NonNullable<Json>;
          "from_date": string;
          "id": string;
          "locale": string;
          "looked_at": string;
          "offered_at": string | null;
          "organization_id": string;
          "party_size": number;
          "room_id": string | null;
          "starts_at": string | null;
          "status":
            | "waiting"
            | "offered"
            | "booked"
            | "lapsed"
            | "declined"
            | "left"
            | "removed"
            | "expired";
          "to_date": string;
          "updated_at": string;
          "waits_until": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id"?: string | null;
          "calendar_id": string;
          "consents"?: NonNullable<Json>;
          "contact_name": string;
          "contact_phone"?: string | null;
          "created_at"?: string;
          "customer_id": string;
          "fields"?: NonNullable<Json>;
          "from_date": string;
          "id"?: string;
          "locale": string;
          "looked_at"?: string;
          "offered_at"?: string | null;
          "organization_id": string;
          "party_size": number;
          "room_id"?: string | null;
          "starts_at"?: string | null;
          "status"?:
            | "waiting"
            | "offered"
            | "booked"
            | "lapsed"
            | "declined"
            | "left"
            | "removed"
            | "expired";
          "to_date": string;
          "updated_at"?: string;
          "waits_until": string;
        };
        Update: {
          "booking_id"?: string | null;
          "calendar_id"?: string;
          "consents"?: NonNullable<Json>;
          "contact_name"?: string;
          "contact_phone"?: string | null;
          "created_at"?: string;
          "customer_id"?: string;
          "fields"?: NonNullable<Json>;
          "from_date"?: string;
          "id"?: string;
          "locale"?: string;
          "looked_at"?: string;
          "offered_at"?: string | null;
          "organization_id"?: string;
          "party_size"?: number;
          "room_id"?: string | null;
          "starts_at"?: string | null;
          "status"?:
            | "waiting"
            | "offered"
            | "booked"
            | "lapsed"
            | "declined"
            | "left"
            | "removed"
            | "expired";
          "to_date"?: string;
          "updated_at"?: string;
          "waits_until"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "waitlist_entries_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "waitlist_entries_calendar_fkey";
            columns: ["organization_id", "calendar_id"];
            isOneToOne: false;
            referencedRelation: "calendars";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "waitlist_entries_customer_fkey";
            columns: ["organization_id", "customer_id"];
            isOneToOne: false;
            referencedRelation: "customers";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "waitlist_entries_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "waiver_kiosks": {
        Row: {
          "created_at": string;
          "created_by": string | null;
          "id": string;
          "location_id": string;
          "name": string;
          "organization_id": string;
          "revoked_at": string | null;
          "support_entry_id": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by"?: string | null;
          "id"?: string;
          "location_id": string;
          "name": string;
          "organization_id": string;
          "revoked_at"?: string | null;
          "support_entry_id"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string | null;
          "id"?: string;
          "location_id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "revoked_at"?: string | null;
          "support_entry_id"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "waiver_kiosks_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "waiver_kiosks_location_fkey";
            columns: ["organization_id", "location_id"];
            isOneToOne: false;
            referencedRelation: "locations";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "waiver_kiosks_support_entry_fkey";
            columns: ["organization_id", "support_entry_id"];
            isOneToOne: false;
            referencedRelation: "support_entries";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "waiver_signatures": {
        Row: {
          "booking_id": string;
          "email": string | null;
          "full_name": string;
          "id": string;
          "locale": string;
          "minors": NonNullable<Json>;
          "organization_id": string;
          "people": number;
          "plays": boolean;
          "signed_at": string;
          "version": number;
          "waiver_text_id": string;
        };
        ComputedFields: never;
        Insert: {
          "booking_id": string;
          "email"?: string | null;
          "full_name": string;
          "id"?: string;
          "locale": string;
          "minors"?: NonNullable<Json>;
          "organization_id": string;
          "people": number;
          "plays": boolean;
          "signed_at"?: string;
          "version": number;
          "waiver_text_id": string;
        };
        Update: {
          "booking_id"?: string;
          "email"?: string | null;
          "full_name"?: string;
          "id"?: string;
          "locale"?: string;
          "minors"?: NonNullable<Json>;
          "organization_id"?: string;
          "people"?: number;
          "plays"?: boolean;
          "signed_at"?: string;
          "version"?: number;
          "waiver_text_id"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "waiver_signatures_booking_fkey";
            columns: ["organization_id", "booking_id"];
            isOneToOne: false;
            referencedRelation: "bookings";
            referencedColumns: ["organization_id", "id"];
          },
          {
            foreignKeyName: "waiver_signatures_waiver_text_fkey";
            columns: ["organization_id", "waiver_text_id"];
            isOneToOne: false;
            referencedRelation: "waiver_texts";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "waiver_texts": {
        Row: {
          "id": string;
          "organization_id": string;
          "published_at": string;
          "room_id": string | null;
          "texts": NonNullable<Json>;
          "version": number;
        };
        ComputedFields: never;
        Insert: {
          "id"?: string;
          "organization_id": string;
          "published_at"?: string;
          "room_id"?: string | null;
          "texts": NonNullable<Json>;
          "version": number;
        };
        Update: {
          "id"?: string;
          "organization_id"?: string;
          "published_at"?: string;
          "room_id"?: string | null;
          "texts"?: NonNullable<Json>;
          "version"?: number;
        };
        Relationships: [
          {
            foreignKeyName: "waiver_texts_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
          {
            foreignKeyName: "waiver_texts_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
          },
        ];
      };
      "webhook_endpoints": {
        Row: {
          "created_at": string;
          "created_by": string | null;
          "disabled_at": string | null;
          "disabled_reason": "by_hand" | "failing" | "gone" | null;
          "events": (string)[];
          "id": string;
          "includes_personal_data": boolean;
          "is_active": boolean;
          "name": string;
          "organization_id": string;
          "rotated_at": string | null;
          "updated_at": string;
          "url": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "created_by"?: string | null;
          "disabled_at"?: string | null;
          "disabled_reason"?: "by_hand" | "failing" | "gone" | null;
          "events": (string)[];
          "id"?: string;
          "includes_personal_data"?: boolean;
          "is_active"?: boolean;
          "name": string;
          "organization_id": string;
          "rotated_at"?: string | null;
          "updated_at"?: string;
          "url": string;
        };
        Update: {
          "created_at"?: string;
          "created_by"?: string | null;
          "disabled_at"?: string | null;
          "disabled_reason"?: "by_hand" | "failing" | "gone" | null;
          "events"?: (string)[];
          "id"?: string;
          "includes_personal_data"?: boolean;
          "is_active"?: boolean;
          "name"?: string;
          "organization_id"?: string;
          "rotated_at"?: string | null;
          "updated_at"?: string;
          "url"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "webhook_endpoints_created_by_fkey";
            columns: ["created_by"];
            isOneToOne: false;
            referencedRelation: "profiles";
            referencedColumns: ["user_id"];
          },
          {
            foreignKeyName: "webhook_endpoints_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "accept_invitation": {
        Args: { "token": string };
        Returns: Database["public"]["CompositeTypes"]["user_context"];
      };
      "accept_waitlist_offer": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking"];
        SetofOptions: {
          from: "*";
          to: "booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "add_booking_comment": {
        Args: {
          "body": string;
          "booking_id": string;
          "idempotency_key": string;
          "organization_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_comment"];
        SetofOptions: {
          from: "*";
          to: "booking_comment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "add_hint": {
        Args: {
          "idempotency_key": string;
          "organization_id": string;
          "session_id": string;
          "words"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "add_notice_address": {
        Args: { "email": string; "locale": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["notice_address"];
        SetofOptions: {
          from: "*";
          to: "notice_address";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "announce_late": {
        Args: {
          "accept_shorter"?: boolean;
          "manage_token": string;
          "minutes": number;
          "reference": string;
        };
        Returns: Database["public"]["CompositeTypes"]["late_arrival"];
        SetofOptions: {
          from: "*";
          to: "late_arrival";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "assign_game_master": {
        Args: { "organization_id": string; "session_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["assignment"];
        SetofOptions: {
          from: "*";
          to: "assignment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "auto_assign_game_masters": {
        Args: { "from_date": string; "organization_id": string; "to_date": string };
        Returns: Database["public"]["CompositeTypes"]["assignment_plan"];
        SetofOptions: {
          from: "*";
          to: "assignment_plan";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "block_room": {
        Args: {
          "ends_at": string;
          "location_id"?: string;
          "organization_id": string;
          "reason"?: string;
          "repeats"?: string;
          "room_id": string;
          "scope"?: string;
          "starts_at": string;
          "until"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["room_block"];
        SetofOptions: {
          from: "*";
          to: "room_block";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "booking_by_check_in_code": {
        Args: { "code": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["scanned_booking"];
        SetofOptions: {
          from: "*";
          to: "scanned_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "booking_emails": {
        Args: { "booking_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_email"][];
        SetofOptions: {
          from: "*";
          to: "booking_email";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "cancel_booking": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking"];
        SetofOptions: {
          from: "*";
          to: "booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "cancel_order": {
        Args: { "booking_references"?: (string)[]; "order_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking_order"];
        SetofOptions: {
          from: "*";
          to: "booking_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "cancel_voucher": {
        Args: { "organization_id": string; "voucher_id": string };
        Returns: {
          "balance_cents": number;
          "code": string;
          "created_at": string;
          "currency": string;
          "expired_at": string | null;
          "id": string;
          "locale": string;
          "message": string;
          "organization_id": string;
          "recipient_email": string | null;
          "recipient_name": string;
          "status": string;
          "updated_at": string;
          "valid_until": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "vouchers";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_booking": {
        Args: {
          "booking_id": string;
          "coupon_code"?: string;
          "exclusive"?: boolean;
          "expected_total_cents"?: number;
          "extras"?: Json;
          "idempotency_key": string;
          "new_terms"?: boolean;
          "organization_id": string;
          "override_reason"?: string;
          "party_size"?: number;
          "price_cents"?: number;
          "reason"?: string;
          "room_id"?: string;
          "starts_at"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_booking"];
        SetofOptions: {
          from: "*";
          to: "desk_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_booking_comment": {
        Args: { "body": string; "comment_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_comment"];
        SetofOptions: {
          from: "*";
          to: "booking_comment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_booking_details": {
        Args: {
          "booking_id": string;
          "contact_name"?: string;
          "contact_phone"?: string;
          "customer_note"?: string;
          "fields"?: Json;
          "locale"?: string;
          "organization_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_booking"];
        SetofOptions: {
          from: "*";
          to: "desk_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_coupon": {
        Args: {
          "code": string;
          "coupon_id": string;
          "description"?: string;
          "kind": string;
          "maximum_uses"?: number;
          "maximum_uses_per_customer"?: number;
          "minimum_cents"?: number;
          "organization_id": string;
          "room_ids"?: (string)[];
          "valid_from"?: string;
          "valid_until"?: string;
          "value": number;
        };
        Returns: {
          "all_rooms": boolean;
          "code": string;
          "created_at": string;
          "description": string;
          "id": string;
          "kind": string;
          "maximum_uses": number | null;
          "maximum_uses_per_customer": number | null;
          "minimum_cents": number;
          "organization_id": string;
          "status": string;
          "updated_at": string;
          "valid_from": string | null;
          "valid_until": string | null;
          "value": number;
        };
        SetofOptions: {
          from: "*";
          to: "coupons";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "change_order": {
        Args: {
          "expected_total_cents"?: number;
          "idempotency_key": string;
          "new_terms"?: boolean;
          "order_id": string;
          "organization_id": string;
          "reason"?: string;
          "starts_at": string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_order"];
        SetofOptions: {
          from: "*";
          to: "desk_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "changes_since": {
        Args: { "max_rows"?: number; "organization_id": string; "since"?: string };
        Returns: Database["public"]["CompositeTypes"]["recent_changes"];
        SetofOptions: {
          from: "*";
          to: "recent_changes";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "claim_session_as_game_master": {
        Args: { "organization_id": string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["assignment"];
        SetofOptions: {
          from: "*";
          to: "assignment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "close_cash_day": {
        Args: {
          "bizum_cents"?: number;
          "card_terminal_cents"?: number;
          "cash_cents": number;
          "cash_day_id": string;
          "organization_id": string;
          "transfer_cents"?: number;
        };
        Returns: Database["public"]["CompositeTypes"]["cash_day_report"];
        SetofOptions: {
          from: "*";
          to: "cash_day_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "close_organization": {
        Args: { "confirm_slug": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["closed_organization"];
        SetofOptions: {
          from: "*";
          to: "closed_organization";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "confirm_booking": {
        Args: { "confirmation_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking"];
        SetofOptions: {
          from: "*";
          to: "booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "correct_game_result": {
        Args: {
          "booking_id": string;
          "escape_seconds"?: number;
          "hints"?: number;
          "organization_id": string;
          "outcome": string;
          "reason": string;
        };
        Returns: {
          "booking_id": string;
          "consented_at": string | null;
          "correction_reason": string;
          "created_at": string;
          "duration_seconds": number;
          "escape_seconds": number | null;
          "hints": number;
          "is_by_hand": boolean;
          "is_public": boolean;
          "language": string | null;
          "level": string | null;
          "name_status": string;
          "notes": string;
          "organization_id": string;
          "outcome": string;
          "pauses": number;
          "played_at": string;
          "room_id": string;
          "session_id": string;
          "team_name": string | null;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "game_results";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "correct_payment": {
        Args: { "organization_id": string; "payment_id": string; "reason": string };
        Returns: Database["public"]["CompositeTypes"]["corrected_payment"];
        SetofOptions: {
          from: "*";
          to: "corrected_payment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_api_key": {
        Args: {
          "expires_at"?: string;
          "name": string;
          "organization_id": string;
          "permissions": (string)[];
        };
        Returns: Database["public"]["CompositeTypes"]["created_api_key"];
        SetofOptions: {
          from: "*";
          to: "created_api_key";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_booking": {
        Args: {
          "calendar_id"?: string;
          "coupon_code"?: string;
          "customer": Json;
          "customer_note"?: string;
          "exclusive"?: boolean;
          "expected_total_cents"?: number;
          "extras"?: Json;
          "fields"?: Json;
          "idempotency_key": string;
          "organization_id": string;
          "override_reason"?: string;
          "party_size": number;
          "pay_within_hours"?: number;
          "price_cents"?: number;
          "room_id": string;
          "source"?: string;
          "staff_note"?: string;
          "starts_at": string;
          "voucher_code"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_booking"];
        SetofOptions: {
          from: "*";
          to: "desk_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_calendar_feed": {
        Args: { "name": string; "organization_id": string; "room_id"?: string; "user_id"?: string };
        Returns: Database["public"]["CompositeTypes"]["issued_token"];
        SetofOptions: {
          from: "*";
          to: "issued_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_coupon": {
        Args: {
          "code": string;
          "description"?: string;
          "kind": string;
          "maximum_uses"?: number;
          "maximum_uses_per_customer"?: number;
          "minimum_cents"?: number;
          "organization_id": string;
          "room_ids"?: (string)[];
          "valid_from"?: string;
          "valid_until"?: string;
          "value": number;
        };
        Returns: {
          "all_rooms": boolean;
          "code": string;
          "created_at": string;
          "description": string;
          "id": string;
          "kind": string;
          "maximum_uses": number | null;
          "maximum_uses_per_customer": number | null;
          "minimum_cents": number;
          "organization_id": string;
          "status": string;
          "updated_at": string;
          "valid_from": string | null;
          "valid_until": string | null;
          "value": number;
        };
        SetofOptions: {
          from: "*";
          to: "coupons";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_order": {
        Args: {
          "calendar_id"?: string;
          "customer": Json;
          "customer_note"?: string;
          "expected_total_cents"?: number;
          "idempotency_key": string;
          "items": Json;
          "organization_id": string;
          "override_reason"?: string;
          "pay_within_hours"?: number;
          "source"?: string;
          "staff_note"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_order"];
        SetofOptions: {
          from: "*";
          to: "desk_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_organization": {
        Args: {
          "currency"?: string;
          "locale"?: string;
          "name": string;
          "slug"?: string;
          "timezone"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["organization"];
        SetofOptions: {
          from: "*";
          to: "organization";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_role": {
        Args: {
          "description"?: string;
          "name": string;
          "organization_id": string;
          "permissions": (string)[];
        };
        Returns: Database["public"]["CompositeTypes"]["role"];
        SetofOptions: {
          from: "*";
          to: "role";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_waiver_kiosk": {
        Args: { "location_id": string; "name": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["issued_token"];
        SetofOptions: {
          from: "*";
          to: "issued_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "create_webhook_endpoint": {
        Args: {
          "events": (string)[];
          "includes_personal_data"?: boolean;
          "name": string;
          "organization_id": string;
          "url": string;
        };
        Returns: Database["public"]["CompositeTypes"]["issued_token"];
        SetofOptions: {
          from: "*";
          to: "issued_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "delete_booking_comment": {
        Args: { "comment_id": string; "organization_id": string };
        Returns: undefined;
      };
      "delete_role": {
        Args: { "organization_id": string; "replacement_role_id"?: string; "role_id": string };
        Returns: undefined;
      };
      "disable_join_code": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["join_code_state"];
        SetofOptions: {
          from: "*";
          to: "join_code_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "email_my_bookings": { Args: { "email": string; "slug": string }; Returns: undefined };
      "end_left_open": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["left_open"][];
        SetofOptions: {
          from: "*";
          to: "left_open";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "end_support_entry": {
        Args: { "organization_id": string; "support_entry_id": string };
        Returns: undefined;
      };
      "erase_customer": {
        Args: { "customer_id": string; "organization_id": string; "reason": string };
        Returns: Database["public"]["CompositeTypes"]["customer"];
        SetofOptions: {
          from: "*";
          to: "customer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "export_customer": {
        Args: { "customer_id": string; "organization_id": string };
        Returns: Json;
      };
      "export_organization": {
        Args: { "organization_id": string };
        Returns: {
          "created_at": string;
          "finished_at": string | null;
          "id": string;
          "object_path": string | null;
          "organization_id": string;
          "requested_by": string | null;
          "row_count": number | null;
          "status": string;
        };
        SetofOptions: {
          from: "*";
          to: "organization_exports";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "export_table": {
        Args: {
          "format"?: string;
          "from_date"?: string;
          "kind": string;
          "locale"?: string;
          "location_id"?: string;
          "organization_id": string;
          "room_id"?: string;
          "to_date"?: string;
        };
        Returns: {
          "created_at": string;
          "expires_at": string | null;
          "finished_at": string | null;
          "format": string;
          "from_date": string | null;
          "id": string;
          "kind": string;
          "locale": string;
          "location_id": string | null;
          "object_path": string | null;
          "organization_id": string;
          "permissions": (string)[];
          "progress": number;
          "room_id": string | null;
          "row_count": number | null;
          "row_total": number | null;
          "status": string;
          "to_date": string | null;
          "user_id": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "table_exports";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "finish_game": {
        Args: {
          "language"?: string;
          "level"?: string;
          "notes"?: string;
          "organization_id": string;
          "outcome": string;
          "session_id": string;
          "team_name"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_availability": {
        Args: {
          "from_date": string;
          "include_taken"?: boolean;
          "party_size"?: number;
          "room_id"?: string;
          "slug": string;
          "to_date": string;
        };
        Returns: Database["public"]["CompositeTypes"]["available_slot"][];
        SetofOptions: {
          from: "*";
          to: "available_slot";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_availability_days": {
        Args: {
          "from_date": string;
          "party_size"?: number;
          "room_id"?: string;
          "slug": string;
          "to_date": string;
        };
        Returns: Database["public"]["CompositeTypes"]["available_day"][];
        SetofOptions: {
          from: "*";
          to: "available_day";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_board": {
        Args: { "date": string; "location_id"?: string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["board"];
        SetofOptions: {
          from: "*";
          to: "board";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_booking": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking"];
        SetofOptions: {
          from: "*";
          to: "booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_booking_people": {
        Args: { "booking_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_party"];
        SetofOptions: {
          from: "*";
          to: "booking_party";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_booking_split": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking_split"];
        SetofOptions: {
          from: "*";
          to: "booking_split";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_bookings_report": {
        Args: {
          "from_date"?: string;
          "location_id"?: string;
          "organization_id": string;
          "period"?: string;
          "room_id"?: string;
          "to_date"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["bookings_report"];
        SetofOptions: {
          from: "*";
          to: "bookings_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_calendar": {
        Args: { "slug": string };
        Returns: Database["public"]["CompositeTypes"]["calendar"];
        SetofOptions: {
          from: "*";
          to: "calendar";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_calendar_dependents": {
        Args: { "calendar_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["dependents"];
        SetofOptions: {
          from: "*";
          to: "dependents";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_calendar_feed": {
        Args: { "token": string };
        Returns: Database["public"]["CompositeTypes"]["calendar_feed"];
        SetofOptions: {
          from: "*";
          to: "calendar_feed";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_cash_day": {
        Args: { "cash_day_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["cash_day_report"];
        SetofOptions: {
          from: "*";
          to: "cash_day_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_changes": {
        Args: { "before_id"?: number; "max_rows"?: number; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["logged_change"][];
        SetofOptions: {
          from: "*";
          to: "logged_change";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_checklist": {
        Args: { "organization_id": string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["checklist"];
        SetofOptions: {
          from: "*";
          to: "checklist";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_currencies": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["CompositeTypes"]["currency"][];
        SetofOptions: {
          from: "*";
          to: "currency";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_customer_history": {
        Args: { "customer_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["customer_history"];
        SetofOptions: {
          from: "*";
          to: "customer_history";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_extra_dependents": {
        Args: { "extra_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["dependents"];
        SetofOptions: {
          from: "*";
          to: "dependents";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_game_clock": {
        Args: { "organization_id": string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_game_result": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["party_result"];
        SetofOptions: {
          from: "*";
          to: "party_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_games_report": {
        Args: {
          "from_date"?: string;
          "location_id"?: string;
          "organization_id": string;
          "period"?: string;
          "room_id"?: string;
          "to_date"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["games_report"];
        SetofOptions: {
          from: "*";
          to: "games_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_join_code": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["join_code_state"];
        SetofOptions: {
          from: "*";
          to: "join_code_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_leaderboard": {
        Args: { "max_rows"?: number; "room_id"?: string; "slug": string };
        Returns: Database["public"]["CompositeTypes"]["leaderboard"];
        SetofOptions: {
          from: "*";
          to: "leaderboard";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_location_dependents": {
        Args: { "location_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["dependents"];
        SetofOptions: {
          from: "*";
          to: "dependents";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_occupancy_report": {
        Args: {
          "from_date"?: string;
          "location_id"?: string;
          "organization_id": string;
          "period"?: string;
          "room_id"?: string;
          "to_date"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["occupancy_report"];
        SetofOptions: {
          from: "*";
          to: "occupancy_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_order": {
        Args: { "order_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking_order"];
        SetofOptions: {
          from: "*";
          to: "booking_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_party": {
        Args: { "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["booking_party"];
        SetofOptions: {
          from: "*";
          to: "booking_party";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_payment_link": {
        Args: { "booking_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["payment_link"];
        SetofOptions: {
          from: "*";
          to: "payment_link";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_payment_share": {
        Args: { "share_id": string; "share_token": string };
        Returns: Database["public"]["CompositeTypes"]["payment_share"];
        SetofOptions: {
          from: "*";
          to: "payment_share";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_pending_refunds": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["pending_refund"][];
        SetofOptions: {
          from: "*";
          to: "pending_refund";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_revenue_report": {
        Args: {
          "from_date"?: string;
          "granularity"?: string;
          "location_id"?: string;
          "organization_id": string;
          "period"?: string;
          "room_id"?: string;
          "to_date"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["revenue_report"][];
        SetofOptions: {
          from: "*";
          to: "revenue_report";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "get_room_dependents": {
        Args: { "organization_id": string; "room_id": string };
        Returns: Database["public"]["CompositeTypes"]["dependents"];
        SetofOptions: {
          from: "*";
          to: "dependents";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_row_at": {
        Args: { "at": string; "organization_id": string; "row_key": string; "table_name": string };
        Returns: Json;
      };
      "get_stripe_account": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["stripe_account"];
        SetofOptions: {
          from: "*";
          to: "stripe_account";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_subscription": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["billing_overview"];
        SetofOptions: {
          from: "*";
          to: "billing_overview";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_voucher_offer": {
        Args: { "locale"?: string; "slug": string };
        Returns: Database["public"]["CompositeTypes"]["voucher_offer"];
        SetofOptions: {
          from: "*";
          to: "voucher_offer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_voucher_order": {
        Args: { "order_id": string; "order_token": string };
        Returns: Database["public"]["CompositeTypes"]["voucher_order"];
        SetofOptions: {
          from: "*";
          to: "voucher_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_waitlist_entry": {
        Args: { "token": string };
        Returns: Database["public"]["CompositeTypes"]["waitlist_entry"];
        SetofOptions: {
          from: "*";
          to: "waitlist_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_waiver": {
        Args: { "locale"?: string; "token": string };
        Returns: Database["public"]["CompositeTypes"]["waiver"];
        SetofOptions: {
          from: "*";
          to: "waiver";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_waiver_kiosk": {
        Args: { "token": string };
        Returns: Database["public"]["CompositeTypes"]["waiver_kiosk"];
        SetofOptions: {
          from: "*";
          to: "waiver_kiosk";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_waiver_signature": {
        Args: { "organization_id": string; "signature_id": string };
        Returns: Database["public"]["CompositeTypes"]["waiver_signature"];
        SetofOptions: {
          from: "*";
          to: "waiver_signature";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_waivers_to_sign": {
        Args: { "date"?: string; "location_id": string; "organization_id": string };
        Returns: (Database["public"]["CompositeTypes"]["waiver_party"])[];
      };
      "get_webhook_delivery": {
        Args: { "delivery_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["webhook_delivery_details"];
        SetofOptions: {
          from: "*";
          to: "webhook_delivery_details";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "has_permission": { Args: { "permission": string }; Returns: boolean };
      "hold_booking": {
        Args: {
          "consents"?: Json;
          "coupon_code"?: string;
          "customer": Json;
          "customer_note"?: string;
          "exclusive"?: boolean;
          "expected_terms"?: Json;
          "expected_total_cents": number;
          "extras"?: Json;
          "fields"?: Json;
          "idempotency_key": string;
          "party_size": number;
          "room_id": string;
          "slug": string;
          "starts_at": string;
          "voucher_code"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["held_booking"];
      };
      "hold_order": {
        Args: {
          "consents"?: Json;
          "customer": Json;
          "customer_note"?: string;
          "expected_total_cents": number;
          "idempotency_key": string;
          "items": Json;
          "slug": string;
        };
        Returns: Database["public"]["CompositeTypes"]["held_order"];
        SetofOptions: {
          from: "*";
          to: "held_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "invite_member": {
        Args: { "email": string; "organization_id": string; "role_id": string };
        Returns: Database["public"]["CompositeTypes"]["invitation"];
        SetofOptions: {
          from: "*";
          to: "invitation";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "issue_voucher": {
        Args: {
          "amount_cents": number;
          "idempotency_key": string;
          "locale"?: string;
          "message"?: string;
          "organization_id": string;
          "recipient_email"?: string;
          "recipient_name"?: string;
          "valid_until"?: string;
        };
        Returns: {
          "balance_cents": number;
          "code": string;
          "created_at": string;
          "currency": string;
          "expired_at": string | null;
          "id": string;
          "locale": string;
          "message": string;
          "organization_id": string;
          "recipient_email": string | null;
          "recipient_name": string;
          "status": string;
          "updated_at": string;
          "valid_until": string | null;
        };
        SetofOptions: {
          from: "*";
          to: "vouchers";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "join_organization": {
        Args: { "code": string };
        Returns: Database["public"]["CompositeTypes"]["user_context"];
      };
      "join_waitlist": {
        Args: {
          "consents"?: Json;
          "customer": Json;
          "fields"?: Json;
          "from_date": string;
          "idempotency_key": string;
          "party_size": number;
          "room_id"?: string;
          "slug": string;
          "starts_at"?: string;
          "to_date": string;
        };
        Returns: Database["public"]["CompositeTypes"]["waitlist_entry"];
        SetofOptions: {
          from: "*";
          to: "waitlist_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "leave_organization": { Args: { "organization_id": string }; Returns: undefined };
      "leave_waitlist": {
        Args: { "token": string };
        Returns: Database["public"]["CompositeTypes"]["waitlist_entry"];
        SetofOptions: {
          from: "*";
          to: "waitlist_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "ledger_balances": {
        Args: { "from_at"?: string; "organization_id": string; "to_at"?: string };
        Returns: Database["public"]["CompositeTypes"]["ledger_balance"][];
        SetofOptions: {
          from: "*";
          to: "ledger_balance";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "lift_member_bar": {
        Args: { "bar_id": string; "organization_id": string };
        Returns: undefined;
      };
      "list_left_open": {
        Args: { "organization_id": string; "user_id"?: string };
        Returns: Database["public"]["CompositeTypes"]["left_open"][];
        SetofOptions: {
          from: "*";
          to: "left_open";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "list_notifications": {
        Args: {
          "after"?: string;
          "before"?: string;
          "max_rows"?: number;
          "organization_id": string;
          "unread_only"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["notification"][];
        SetofOptions: {
          from: "*";
          to: "notification";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "list_payments": {
        Args: {
          "before"?: string;
          "before_id"?: string;
          "max_rows"?: number;
          "organization_id": string;
          "status"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["payment_entry"][];
        SetofOptions: {
          from: "*";
          to: "payment_entry";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "list_webhook_deliveries": {
        Args: {
          "before_id"?: string;
          "endpoint_id": string;
          "organization_id": string;
          "status"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["webhook_delivery"][];
        SetofOptions: {
          from: "*";
          to: "webhook_delivery";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "mark_notifications_read": {
        Args: { "ids"?: (string)[]; "organization_id": string; "until"?: string };
        Returns: Database["public"]["CompositeTypes"]["marked_notifications"];
        SetofOptions: {
          from: "*";
          to: "marked_notifications";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "merge_bookings": {
        Args: {
          "keep_id": string;
          "merge_id": string;
          "organization_id": string;
          "other_customer"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_booking"];
        SetofOptions: {
          from: "*";
          to: "desk_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "merge_customers": {
        Args: { "keep_id": string; "merge_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["customer"];
        SetofOptions: {
          from: "*";
          to: "customer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "moderate_team_name": {
        Args: {
          "booking_id": string;
          "name_status": string;
          "organization_id": string;
          "team_name": string;
        };
        Returns: {
          "booking_id": string;
          "consented_at": string | null;
          "correction_reason": string;
          "created_at": string;
          "duration_seconds": number;
          "escape_seconds": number | null;
          "hints": number;
          "is_by_hand": boolean;
          "is_public": boolean;
          "language": string | null;
          "level": string | null;
          "name_status": string;
          "notes": string;
          "organization_id": string;
          "outcome": string;
          "pauses": number;
          "played_at": string;
          "room_id": string;
          "session_id": string;
          "team_name": string | null;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "game_results";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "move_bookings": {
        Args: {
          "booking_ids"?: (string)[];
          "from_at": string;
          "idempotency_key": string;
          "organization_id": string;
          "reason": string;
          "room_id": string;
          "shift_minutes"?: number;
          "to_room_id"?: string;
          "until_at": string;
        };
        Returns: Database["public"]["CompositeTypes"]["moved_bookings"];
        SetofOptions: {
          from: "*";
          to: "moved_bookings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "my_booking_token": {
        Args: { "booking_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_link"];
        SetofOptions: {
          from: "*";
          to: "booking_link";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "my_bookings": {
        Args: { "max_rows"?: number };
        Returns: Database["public"]["CompositeTypes"]["my_booking"][];
        SetofOptions: {
          from: "*";
          to: "my_booking";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "my_context": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["CompositeTypes"]["user_context"];
        SetofOptions: {
          from: "*";
          to: "user_context";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_billing": {
        Args: { "organization_id": string; "reading"?: boolean };
        Returns: Database["public"]["CompositeTypes"]["billing_pass"];
        SetofOptions: {
          from: "*";
          to: "billing_pass";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_cash_day": {
        Args: { "float_cents"?: number; "location_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["cash_day_report"];
        SetofOptions: {
          from: "*";
          to: "cash_day_report";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "order_voucher": {
        Args: {
          "accepted_terms"?: string;
          "amount_cents"?: number;
          "buyer_email": string;
          "buyer_name": string;
          "deliver_on"?: string;
          "idempotency_key": string;
          "locale"?: string;
          "message"?: string;
          "product_id"?: string;
          "recipient_email"?: string;
          "recipient_name"?: string;
          "slug": string;
        };
        Returns: Database["public"]["CompositeTypes"]["placed_voucher_order"];
        SetofOptions: {
          from: "*";
          to: "placed_voucher_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "pause_game": {
        Args: { "organization_id": string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "platform_enter_organization": {
        Args: {
          "minutes"?: number;
          "organization_id": string;
          "reason": string;
          "role_key"?: string;
        };
        Returns: {
          "admin_user_id": string;
          "ended_at": string | null;
          "expires_at": string;
          "id": string;
          "organization_id": string;
          "reason": string;
          "role_key": string;
          "started_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "support_entries";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "platform_erase_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: undefined;
      };
      "platform_grant_plan": {
        Args: { "organization_id": string; "plan_key": string; "reason": string; "until": string };
        Returns: {
          "amount_cents": number | null;
          "billing_interval": string | null;
          "cancel_at": string | null;
          "created_at": string;
          "currency": string | null;
          "current_period_end": string | null;
          "current_period_start": string | null;
          "due_cents": number;
          "grace_until": string | null;
          "granted_plan_key": string | null;
          "granted_until": string | null;
          "next_plan_key": string | null;
          "organization_id": string;
          "other_subscription_ids": (string)[];
          "overdue_since": string | null;
          "plan_key": string | null;
          "status": string | null;
          "stripe_subscription_id": string | null;
          "trial_end": string | null;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "subscriptions";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "platform_list_organizations": {
        Args: {
          "after_id"?: string;
          "max_rows"?: number;
          "search"?: string;
          "with_status"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["platform_organization"][];
        SetofOptions: {
          from: "*";
          to: "platform_organization";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "platform_reactivate_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: Database["public"]["CompositeTypes"]["organization"];
        SetofOptions: {
          from: "*";
          to: "organization";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "platform_statistics": {
        Args: Record<PropertyKey, never>;
        Returns: Database["public"]["CompositeTypes"]["platform_numbers"];
        SetofOptions: {
          from: "*";
          to: "platform_numbers";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "platform_suspend_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: Database["public"]["CompositeTypes"]["organization"];
        SetofOptions: {
          from: "*";
          to: "organization";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "preview_booking_email": {
        Args: { "booking_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["mail_preview"];
        SetofOptions: {
          from: "*";
          to: "mail_preview";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "preview_move_bookings": {
        Args: {
          "from_at": string;
          "organization_id": string;
          "room_id": string;
          "shift_minutes"?: number;
          "to_room_id"?: string;
          "until_at": string;
        };
        Returns: Database["public"]["CompositeTypes"]["moved_bookings"];
        SetofOptions: {
          from: "*";
          to: "moved_bookings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "publish_game_result": {
        Args: {
          "is_public": boolean;
          "manage_token": string;
          "reference": string;
          "team_name"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["party_result"];
        SetofOptions: {
          from: "*";
          to: "party_result";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "publish_waiver": {
        Args: { "organization_id": string; "room_id"?: string; "texts": Json };
        Returns: Database["public"]["CompositeTypes"]["published_waiver"];
        SetofOptions: {
          from: "*";
          to: "published_waiver";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_booking": {
        Args: {
          "coupon_code"?: string;
          "exclusive"?: boolean;
          "extras"?: Json;
          "locale"?: string;
          "party_size": number;
          "room_id": string;
          "slug": string;
          "starts_at": string;
          "voucher_code"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["quote"];
      };
      "quote_change": {
        Args: {
          "booking_id": string;
          "coupon_code"?: string;
          "exclusive"?: boolean;
          "extras"?: Json;
          "new_terms"?: boolean;
          "organization_id": string;
          "override_reason"?: string;
          "party_size"?: number;
          "price_cents"?: number;
          "room_id"?: string;
          "starts_at"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["change_quote"];
        SetofOptions: {
          from: "*";
          to: "change_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_order": {
        Args: { "items": Json; "locale"?: string; "slug": string };
        Returns: Database["public"]["CompositeTypes"]["order_quote"];
        SetofOptions: {
          from: "*";
          to: "order_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_order_change": {
        Args: { "order_token": string; "reference": string; "starts_at": string };
        Returns: Database["public"]["CompositeTypes"]["order_change_quote"];
        SetofOptions: {
          from: "*";
          to: "order_change_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "quote_reschedule": {
        Args: {
          "exclusive"?: boolean;
          "extras"?: Json;
          "manage_token": string;
          "party_size"?: number;
          "reference": string;
          "room_id"?: string;
          "starts_at"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["change_quote"];
        SetofOptions: {
          from: "*";
          to: "change_quote";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reactivate_member": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["member"];
        SetofOptions: {
          from: "*";
          to: "member";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_payment": {
        Args: {
          "amount_cents": number;
          "booking_id": string;
          "idempotency_key": string;
          "method": string;
          "organization_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["recorded_payment"];
        SetofOptions: {
          from: "*";
          to: "recorded_payment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_refund": {
        Args: {
          "idempotency_key": string;
          "method"?: string;
          "organization_id": string;
          "refund_request_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["recorded_refund"];
        SetofOptions: {
          from: "*";
          to: "recorded_refund";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "refund_booking": {
        Args: {
          "amount_cents": number;
          "booking_id": string;
          "idempotency_key": string;
          "organization_id": string;
          "reason": string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_refund"];
        SetofOptions: {
          from: "*";
          to: "booking_refund";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "refund_voucher_order": {
        Args: { "order_id": string; "organization_id": string };
        Returns: {
          "amount_cents": number;
          "as_of": string | null;
          "created_at": string;
          "currency": string;
          "id": string;
          "order_id": string;
          "organization_id": string;
          "provider_refund_id": string | null;
          "reason": string;
          "requested_by": NonNullable<Json>;
          "status": string;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "voucher_refunds";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "remind_payment_share": {
        Args: { "manage_token": string; "reference": string; "share_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_split"];
        SetofOptions: {
          from: "*";
          to: "booking_split";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "remove_member": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["left_open"][];
        SetofOptions: {
          from: "*";
          to: "left_open";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "remove_waitlist_entry": {
        Args: { "entry_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["removed_waitlist_entry"];
        SetofOptions: {
          from: "*";
          to: "removed_waitlist_entry";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "rename_role": {
        Args: {
          "description"?: string;
          "name": string;
          "organization_id": string;
          "role_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["role"];
        SetofOptions: {
          from: "*";
          to: "role";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "replay_webhook_delivery": {
        Args: { "delivery_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["webhook_replay"];
        SetofOptions: {
          from: "*";
          to: "webhook_replay";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "replay_webhook_period": {
        Args: {
          "endpoint_id": string;
          "from_time": string;
          "only_failed"?: boolean;
          "organization_id": string;
          "until_time"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["webhook_replay"];
        SetofOptions: {
          from: "*";
          to: "webhook_replay";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "report_incident": {
        Args: {
          "block_until"?: string;
          "description": string;
          "idempotency_key": string;
          "item_id"?: string;
          "organization_id": string;
          "room_id": string;
          "session_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["incident"];
        SetofOptions: {
          from: "*";
          to: "incident";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reschedule_booking": {
        Args: {
          "exclusive"?: boolean;
          "expected_terms"?: Json;
          "expected_total_cents": number;
          "extras"?: Json;
          "idempotency_key": string;
          "manage_token": string;
          "party_size"?: number;
          "reference": string;
          "room_id"?: string;
          "starts_at"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking"];
        SetofOptions: {
          from: "*";
          to: "booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reschedule_order": {
        Args: {
          "expected_terms"?: Json;
          "expected_total_cents": number;
          "idempotency_key": string;
          "order_token": string;
          "reference": string;
          "starts_at": string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_order"];
        SetofOptions: {
          from: "*";
          to: "booking_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "resend_booking_email": {
        Args: {
          "booking_id": string;
          "idempotency_key": string;
          "kind"?: string;
          "organization_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["resent_email"];
        SetofOptions: {
          from: "*";
          to: "resent_email";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "resend_voucher_email": {
        Args: {
          "email"?: string;
          "idempotency_key": string;
          "kind"?: string;
          "organization_id": string;
          "voucher_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["resent_email"];
        SetofOptions: {
          from: "*";
          to: "resent_email";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "reset_sign_in": { Args: Record<PropertyKey, never>; Returns: undefined };
      "resume_game": {
        Args: { "organization_id": string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_api_key": {
        Args: { "api_key_id": string; "organization_id": string };
        Returns: undefined;
      };
      "revoke_calendar_feed": {
        Args: { "feed_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["revoked_token"];
        SetofOptions: {
          from: "*";
          to: "revoked_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "revoke_invitation": {
        Args: { "invitation_id": string; "organization_id": string };
        Returns: undefined;
      };
      "revoke_waiver_kiosk": {
        Args: { "kiosk_id": string; "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["revoked_token"];
        SetofOptions: {
          from: "*";
          to: "revoked_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "rotate_join_code": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["join_code_state"];
        SetofOptions: {
          from: "*";
          to: "join_code_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "rotate_webhook_secret": {
        Args: { "endpoint_id": string; "organization_id": string; "overlap_hours"?: number };
        Returns: Database["public"]["CompositeTypes"]["issued_token"];
        SetofOptions: {
          from: "*";
          to: "issued_token";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "run_report": {
        Args: { "organization_id": string; "statement_id": string };
        Returns: Database["public"]["CompositeTypes"]["report_answer"];
        SetofOptions: {
          from: "*";
          to: "report_answer";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "search_bookings": {
        Args: {
          "max_results"?: number;
          "organization_id": string;
          "query": string;
          "tag_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_search"];
        SetofOptions: {
          from: "*";
          to: "booking_search";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_booking_people": {
        Args: {
          "booking_id": string;
          "expected_version"?: string;
          "organization_id": string;
          "people": Json;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_party"];
        SetofOptions: {
          from: "*";
          to: "booking_party";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_booking_tags": {
        Args: { "booking_id": string; "organization_id": string; "tag_ids": (string)[] };
        Returns: undefined;
      };
      "set_coupon_status": {
        Args: { "coupon_id": string; "organization_id": string; "status": string };
        Returns: {
          "all_rooms": boolean;
          "code": string;
          "created_at": string;
          "description": string;
          "id": string;
          "kind": string;
          "maximum_uses": number | null;
          "maximum_uses_per_customer": number | null;
          "minimum_cents": number;
          "organization_id": string;
          "status": string;
          "updated_at": string;
          "valid_from": string | null;
          "valid_until": string | null;
          "value": number;
        };
        SetofOptions: {
          from: "*";
          to: "coupons";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_incident_status": {
        Args: {
          "block_until"?: string;
          "incident_id": string;
          "organization_id": string;
          "resolution"?: string;
          "status": string;
        };
        Returns: Database["public"]["CompositeTypes"]["incident"];
        SetofOptions: {
          from: "*";
          to: "incident";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_member_role": {
        Args: { "organization_id": string; "role_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["member"];
        SetofOptions: {
          from: "*";
          to: "member";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_notification_preference": {
        Args: { "in_app": boolean; "mail": boolean; "organization_id": string; "type": string };
        Returns: undefined;
      };
      "set_party": {
        Args: {
          "expected_version"?: string;
          "manage_token": string;
          "people": Json;
          "reference": string;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_party"];
        SetofOptions: {
          from: "*";
          to: "booking_party";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_role_permissions": {
        Args: { "organization_id": string; "permissions": (string)[]; "role_id": string };
        Returns: Database["public"]["CompositeTypes"]["role"];
        SetofOptions: {
          from: "*";
          to: "role";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "set_voucher_sales": {
        Args: {
          "is_sold": boolean;
          "maximum_cents"?: number;
          "minimum_cents"?: number;
          "organization_id": string;
          "refund_days"?: number;
          "validity_months"?: number;
        };
        Returns: {
          "created_at": string;
          "is_sold": boolean;
          "maximum_cents": number | null;
          "minimum_cents": number | null;
          "organization_id": string;
          "refund_days": number;
          "updated_at": string;
          "validity_months": number | null;
        };
        SetofOptions: {
          from: "*";
          to: "voucher_settings";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "sign_waiver": {
        Args: {
          "idempotency_key": string;
          "locale"?: string;
          "minors"?: Json;
          "signature": string;
          "signer": Json;
          "token": string;
          "version": number;
        };
        Returns: Database["public"]["CompositeTypes"]["signed_waiver"];
        SetofOptions: {
          from: "*";
          to: "signed_waiver";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "split_booking": {
        Args: {
          "idempotency_key": string;
          "manage_token": string;
          "method"?: string;
          "organizer_pays"?: boolean;
          "reference": string;
          "shares": Json;
          "whole"?: boolean;
        };
        Returns: Database["public"]["CompositeTypes"]["booking_split"];
      };
      "start_game": {
        Args: { "organization_id": string; "override_reason"?: string; "session_id": string };
        Returns: Database["public"]["CompositeTypes"]["game_clock"];
        SetofOptions: {
          from: "*";
          to: "game_clock";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "suspend_member": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["suspended_member"];
        SetofOptions: {
          from: "*";
          to: "suspended_member";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "switch_organization": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["user_context"];
        SetofOptions: {
          from: "*";
          to: "user_context";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "take_over_payment_share": {
        Args: { "manage_token": string; "reference": string; "share_id": string };
        Returns: Database["public"]["CompositeTypes"]["booking_split"];
        SetofOptions: {
          from: "*";
          to: "booking_split";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "tick_checklist_item": {
        Args: {
          "done"?: boolean;
          "item_id": string;
          "organization_id": string;
          "session_id": string;
        };
        Returns: Database["public"]["CompositeTypes"]["checklist"];
        SetofOptions: {
          from: "*";
          to: "checklist";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transfer_ownership": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["member"];
        SetofOptions: {
          from: "*";
          to: "member";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transition_booking": {
        Args: {
          "booking_id": string;
          "organization_id": string;
          "reason"?: string;
          "refund"?: string;
          "to_status": string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_booking"];
        SetofOptions: {
          from: "*";
          to: "desk_booking";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "transition_order": {
        Args: {
          "booking_ids"?: (string)[];
          "order_id": string;
          "organization_id": string;
          "reason"?: string;
          "refund"?: string;
          "to_status": string;
        };
        Returns: Database["public"]["CompositeTypes"]["desk_order"];
        SetofOptions: {
          from: "*";
          to: "desk_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "unassign_game_master": {
        Args: { "organization_id": string; "session_id": string; "user_id": string };
        Returns: Database["public"]["CompositeTypes"]["released_assignment"];
        SetofOptions: {
          from: "*";
          to: "released_assignment";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "unblock_room": {
        Args: {
          "block_id"?: string;
          "from_date"?: string;
          "organization_id": string;
          "session_id"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["lifted_block"];
        SetofOptions: {
          from: "*";
          to: "lifted_block";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "unread_notifications": {
        Args: { "organization_id": string };
        Returns: Database["public"]["CompositeTypes"]["unread_notifications"];
        SetofOptions: {
          from: "*";
          to: "unread_notifications";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "validate_coupon": {
        Args: {
          "code": string;
          "party_size"?: number;
          "room_id"?: string;
          "slug": string;
          "starts_at"?: string;
        };
        Returns: Database["public"]["CompositeTypes"]["coupon_offer"];
      };
      "voucher_emails": {
        Args: { "organization_id": string; "voucher_id": string };
        Returns: Database["public"]["CompositeTypes"]["voucher_email"][];
        SetofOptions: {
          from: "*";
          to: "voucher_email";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "withdraw_consent": {
        Args: { "kind": string; "manage_token": string; "reference": string };
        Returns: Database["public"]["CompositeTypes"]["consents"];
        SetofOptions: {
          from: "*";
          to: "consents";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "withdraw_refund": {
        Args: { "organization_id": string; "reason": string; "refund_request_id": string };
        Returns: Database["public"]["CompositeTypes"]["withdrawn_refund"];
        SetofOptions: {
          from: "*";
          to: "withdrawn_refund";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "withdraw_voucher_refund": {
        Args: { "order_id": string; "organization_id": string };
        Returns: {
          "amount_cents": number;
          "as_of": string | null;
          "created_at": string;
          "currency": string;
          "id": string;
          "order_id": string;
          "organization_id": string;
          "provider_refund_id": string | null;
          "reason": string;
          "requested_by": NonNullable<Json>;
          "status": string;
          "updated_at": string;
        };
        SetofOptions: {
          from: "*";
          to: "voucher_refunds";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      "assigned_session": {
        "session_id": string;
        "room_id": string;
        "starts_at": string;
        "user_id": string;
      };
      "assignment": {
        "session_id": string;
        "user_id": string;
        "source": "assigned" | "claimed" | "automatic";
        "is_skilled": boolean;
        "is_on_shift": boolean;
      };
      "assignment_plan": {
        "assigned": (Database["public"]["CompositeTypes"]["assigned_session"])[];
        "unassigned": (Database["public"]["CompositeTypes"]["unassigned_session"])[];
      };
      "available_day": {
        "local_date": string;
        "free": number;
        "taken": number;
        "price_cents": number | null;
        "highest_price_cents": number | null;
      };
      "available_slot": {
        "room_id": string;
        "starts_at": string;
        "ends_at": string;
        "local_date": string;
        "local_time": string;
        "timezone": string;
        "seats_available": number;
        "price_cents": number;
        "currency": string;
        "is_empty": boolean;
      };
      "billing_overview": {
        "plan_key": string;
        "plan_name": string;
        "comes_from": "subscription" | "grant" | "default";
        "uses": (Database["public"]["CompositeTypes"]["plan_use"])[];
        "subscription": Database["public"]["Tables"]["subscriptions"]["Row"] | null;
        "trial_available": boolean;
        "writes_end_at": string | null;
        "sales_end_at": string | null;
      };
      "billing_pass": {
        "token": string;
        "expires_at": string;
      };
      "board": {
        "date": string;
        "unassigned": number;
        "locations": (Database["public"]["CompositeTypes"]["board_location"])[];
      };
      "board_block": {
        "session_id": string;
        "starts_at": string;
        "ends_at": string;
        "reason": string | null;
      };
      "board_booking": {
        "id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "contact_name": string | null;
        "party_size": number;
        "exclusive": boolean;
        "customer_note": string | null;
        "staff_note": string;
        "currency": string;
        "total_cents": number;
        "paid_cents": number | null;
        "refunded_cents": number | null;
        "open_cents": number | null;
        "waiver": Database["public"]["CompositeTypes"]["waiver_progress"];
        "late_minutes": number | null;
        "mail_problem":
          | "bounced"
          | "complained"
          | "failed"
          | "suppressed"
          | "limited"
          | "dead"
          | null;
      };
      "board_location": {
        "id": string;
        "name": string;
        "timezone": string;
        "rooms": (Database["public"]["CompositeTypes"]["board_room"])[];
        "shifts": (Database["public"]["CompositeTypes"]["board_shift"])[] | null;
      };
      "board_person": {
        "user_id": string;
        "full_name": string | null;
        "source": "assigned" | "claimed" | "automatic";
        "is_skilled": boolean | null;
        "is_on_shift": boolean | null;
      };
      "board_room": {
        "id": string;
        "name": string;
        "sessions": (Database["public"]["CompositeTypes"]["board_session"])[];
        "blocks": (Database["public"]["CompositeTypes"]["board_block"])[];
      };
      "board_session": {
        "id": string;
        "starts_at": string;
        "ends_at": string;
        "occupied_until": string;
        "local_time": string;
        "mode": "private" | "shared";
        "status": "booked" | "held";
        "capacity": number;
        "seats_taken": number;
        "bookings": (Database["public"]["CompositeTypes"]["board_booking"])[];
        "is_unassigned": boolean;
        "staff": (Database["public"]["CompositeTypes"]["board_person"])[];
        "candidates": (string)[] | null;
        "game": Database["public"]["CompositeTypes"]["game_clock"] | null;
      };
      "board_shift": {
        "id": string;
        "user_id": string;
        "full_name": string | null;
        "starts_at": string;
        "ends_at": string;
        "sessions": number;
      };
      "booked_extra": {
        "extra_id": string;
        "name": string;
        "quantity": number;
      };
      "booking": {
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "hold_expires_at": string | null;
        "starts_at": string;
        "ends_at": string;
        "timezone": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "seats": number;
        "exclusive": boolean;
        "extras": (Database["public"]["CompositeTypes"]["booked_extra"])[];
        "fields": Json;
        "customer_note": string;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "paid_cents": number;
        "refunded_cents": number;
        "open_cents": number;
        "terms": Database["public"]["CompositeTypes"]["cancellation_terms"];
        "customer": Database["public"]["CompositeTypes"]["booking_customer"];
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "location": Database["public"]["CompositeTypes"]["booking_place"];
        "event": Database["public"]["CompositeTypes"]["booking_event"];
        "waiver": Database["public"]["CompositeTypes"]["booking_waiver"];
        "lines": (Database["public"]["CompositeTypes"]["price_line"])[];
        "cancellable": boolean;
        "cancellation": Database["public"]["CompositeTypes"]["cancellation"];
        "reschedulable": boolean;
        "confirm_by_email": boolean;
        "history": (Database["public"]["CompositeTypes"]["booking_step"])[];
        "manage_token": string | null;
        "payable_cents": number;
        "rest_payable_until": string | null;
        "payment_open": boolean;
        "merged_into": string | null;
        "shared_cents": number;
        "with_order": boolean;
      };
      "booking_comment": {
        "id": string;
        "booking_id": string;
        "body": string;
        "author_kind": "user" | "api_key";
        "author_id": string;
        "created_at": string;
        "edited_at": string | null;
      };
      "booking_customer": {
        "full_name": string;
        "email": string | null;
      };
      "booking_email": {
        "id": string;
        "template": string;
        "recipient": string | null;
        "locale": string | null;
        "status":
          | "waiting"
          | "sent"
          | "delivered"
          | "not_needed"
          | "dead"
          | "bounced"
          | "complained"
          | "failed"
          | "suppressed"
          | "limited";
        "reason": string | null;
        "created_at": string;
        "sent_at": string | null;
        "due_at": string | null;
        "delivered_at": string | null;
        "opened_at": string | null;
      };
      "booking_event": {
        "uid": string;
        "sequence": number;
        "updated_at": string;
      };
      "booking_link": {
        "reference": string;
        "manage_token": string;
      };
      "booking_order": {
        "reference": string;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "paid_cents": number;
        "refunded_cents": number;
        "open_cents": number;
        "payable_cents": number;
        "cancellable": boolean;
        "reschedulable": boolean;
        "payment_open": boolean;
        "bookings": (Database["public"]["CompositeTypes"]["booking"])[];
      };
      "booking_party": {
        "version": string;
        "maximum": number;
        "open": boolean;
        "people": (Database["public"]["CompositeTypes"]["booking_person"])[];
      };
      "booking_person": {
        "id": string;
        "full_name": string;
        "email": string | null;
        "phone": string | null;
        "signed": boolean;
        "paid": boolean;
      };
      "booking_place": {
        "name": string;
        "address": string;
        "phone": string | null;
        "arrival_hints": string | null;
        "directions": string | null;
        "latitude": number | null;
        "longitude": number | null;
        "line": string;
      };
      "booking_refund": {
        "booking_id": string;
        "amount_cents": number;
        "currency": string;
        "refundable_cents": number;
        "refunds": (Database["public"]["CompositeTypes"]["promised_refund"])[];
      };
      "booking_search": {
        "bookings": (Database["public"]["CompositeTypes"]["found_booking"])[];
        "has_more": boolean;
      };
      "booking_share": {
        "share_id": string;
        "share_token": string;
        "name": string;
        "email": string | null;
        "amount_cents": number;
        "status": "open" | "paid" | "ended";
        "ended_reason": "taken_over" | "late" | "changed" | "covered" | "booking_over" | null;
        "expires_at": string;
        "paid_at": string | null;
        "paying": boolean;
        "reminders": number;
        "reminded_at": string | null;
      };
      "booking_split": {
        "reference": string;
        "currency": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "total_cents": number;
        "open_cents": number;
        "organizer_cents": number;
        "hold_expires_at": string | null;
        "late_shares": "organizer" | "release";
        "calendar": string | null;
        "site_url": string | null;
        "shares": (Database["public"]["CompositeTypes"]["booking_share"])[];
      };
      "booking_step": {
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "occurred_at": string;
        "change": Json | null;
      };
      "booking_sums": {
        "bookings": number;
        "players": number;
        "cancelled": number;
        "no_shows": number;
        "cancelled_bp": number | null;
        "no_show_bp": number | null;
        "lead_minutes": number | null;
        "customers": number;
        "new_customers": number;
        "returning_customers": number;
      };
      "booking_waiver": {
        "policy": "none" | "optional" | "required";
        "signed": number;
        "needed": number;
        "missing": number;
        "token": string | null;
      };
      "bookings_by_status": {
        "held": number;
        "pending": number;
        "confirmed": number;
        "checked_in": number;
        "in_progress": number;
        "completed": number;
        "expired": number;
        "cancelled": number;
        "no_show": number;
      };
      "bookings_report": {
        "from_date": string;
        "to_date": string;
        "previous_from_date": string;
        "previous_to_date": string;
        "total": Database["public"]["CompositeTypes"]["booking_sums"];
        "previous": Database["public"]["CompositeTypes"]["booking_sums"];
        "statuses": (Database["public"]["CompositeTypes"]["status_bookings"])[];
        "party_sizes": (Database["public"]["CompositeTypes"]["party_bookings"])[];
        "lead_times": (Database["public"]["CompositeTypes"]["lead_bookings"])[];
        "rooms": (Database["public"]["CompositeTypes"]["room_bookings"])[];
        "locations": (Database["public"]["CompositeTypes"]["location_bookings"])[];
        "channels": (Database["public"]["CompositeTypes"]["channel_bookings"])[];
      };
      "calendar": {
        "now": string;
        "slug": string;
        "name": string;
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "timezone": string;
        "locale": "es" | "en" | "ca";
        "locales": (string)[];
        "currency": string;
        "minimum_notice_minutes": number;
        "maximum_advance_days": number;
        "hold_minutes": number;
        "has_coupons": boolean;
        "has_vouchers": boolean;
        "flow": "room_first" | "date_first";
        "theme": "auto" | "light" | "dark";
        "accent_color": string | null;
        "terms": Json;
        "fee": Database["public"]["CompositeTypes"]["calendar_fee"];
        "waitlist": boolean;
        "shows_taken_times": boolean;
        "fields": (Database["public"]["CompositeTypes"]["calendar_field"])[];
        "rooms": (Database["public"]["CompositeTypes"]["calendar_room"])[];
        "venue": Database["public"]["CompositeTypes"]["venue_profile"];
        "locations": (Database["public"]["CompositeTypes"]["calendar_location"])[];
        "descriptions": Json;
      };
      "calendar_fee": {
        "kind": "none" | "booking" | "person" | "percent";
        "value": number;
      };
      "calendar_feed": {
        "name": string;
        "timezone": string;
        "updated_at": string | null;
        "version": string;
        "sessions": (Database["public"]["CompositeTypes"]["feed_session"])[];
      };
      "calendar_field": {
        "key": string;
        "label": Json;
        "help": Json;
        "kind": "text" | "textarea" | "email" | "phone" | "number" | "select" | "checkbox" | "date";
        "required": boolean;
        "pattern": string | null;
        "options": (Database["public"]["CompositeTypes"]["field_choice"])[];
        "placeholder": Json;
        "minimum_length": number | null;
        "maximum_length": number | null;
        "room_id": string | null;
      };
      "calendar_location": {
        "id": string;
        "name": string;
        "timezone": string;
        "address": string;
        "phone": string | null;
        "latitude": number | null;
        "longitude": number | null;
        "directions": Json;
      };
      "calendar_room": {
        "id": string;
        "name": string;
        "slug": string;
        "description": string;
        "minimum_party": number;
        "maximum_party": number;
        "capacity": number;
        "duration_minutes": number;
        "minimum_notice_minutes": number;
        "maximum_advance_days": number;
        "mode": "private" | "shared";
        "price_per": "person" | "session";
        "price_cents": number;
        "exclusive_price_cents": number | null;
        "deposit": Database["public"]["CompositeTypes"]["room_deposit"];
        "cancellation": (Database["public"]["CompositeTypes"]["cancellation_tier"])[];
        "waiver_policy": "none" | "optional" | "required";
        "difficulty": number | null;
        "images": (Database["public"]["CompositeTypes"]["room_image"])[];
        "extras": (Database["public"]["CompositeTypes"]["room_extra"])[];
        "location_name": string;
        "timezone": string;
        "names": Json;
        "descriptions": Json;
        "theme":
          | "adventure"
          | "comedy"
          | "crime"
          | "family"
          | "fantasy"
          | "history"
          | "horror"
          | "mystery"
          | "science_fiction"
          | "other"
          | null;
        "color": string | null;
        "video_url": string | null;
        "minimum_age": number | null;
        "minimum_age_accompanied": number | null;
        "fear": number | null;
        "physical_level": number | null;
        "languages": (string)[];
        "is_accessible": boolean;
        "has_actors": boolean;
        "tags": (string)[];
        "location_id": string;
      };
      "cancellation": {
        "refund_percent": number;
        "refund_cents": number;
        "disputed_cents": number;
        "lost_cents": number;
      };
      "cancellation_terms": {
        "tiers": (Database["public"]["CompositeTypes"]["cancellation_tier"])[];
        "no_show_fee_percent": number;
      };
      "cancellation_tier": {
        "hours_before": number;
        "refund_percent": number;
      };
      "cash_count": {
        "method": "cash" | "card_terminal" | "transfer" | "bizum";
        "taken_cents": number | null;
        "expected_cents": number | null;
        "counted_cents": number | null;
        "difference_cents": number | null;
        "persons": (Database["public"]["CompositeTypes"]["cash_taken"])[] | null;
      };
      "cash_day_report": {
        "cash_day_id": string;
        "location_id": string;
        "currency": string;
        "opened_at": string;
        "closed_at": string | null;
        "float_cents": number | null;
        "counts": (Database["public"]["CompositeTypes"]["cash_count"])[];
      };
      "cash_taken": {
        "actor_kind": "user" | "api_key" | "support" | "service" | "customer" | "system";
        "actor_id": string | null;
        "amount_cents": number;
      };
      "change_quote": {
        "room_id": string;
        "starts_at": string;
        "ends_at": string;
        "party_size": number;
        "exclusive": boolean;
        "extras": (Database["public"]["CompositeTypes"]["booked_extra"])[];
        "currency": string;
        "lines": (Database["public"]["CompositeTypes"]["price_line"])[];
        "total_cents": number;
        "tax_cents": number;
        "due_now_cents": number;
        "difference_cents": number;
        "refund_cents": number;
        "open_cents": number;
        "terms": Database["public"]["CompositeTypes"]["cancellation_terms"];
        "disputed_cents": number;
      };
      "changed_row": {
        "table_name": string;
        "row_key": string;
        "action": "insert" | "update" | "delete";
        "occurred_at": string;
      };
      "channel_bookings": {
        "channel": "widget" | "direct" | "marketplace" | "api";
        "sums": Database["public"]["CompositeTypes"]["booking_sums"];
        "previous": Database["public"]["CompositeTypes"]["booking_sums"];
      };
      "channel_revenue": {
        "channel": "widget" | "direct" | "marketplace" | "api";
        "sums": Database["public"]["CompositeTypes"]["revenue_sums"];
        "previous": Database["public"]["CompositeTypes"]["revenue_sums"];
      };
      "checklist": {
        "session_id": string;
        "entries": (Database["public"]["CompositeTypes"]["checklist_entry"])[];
      };
      "checklist_entry": {
        "item_id": string;
        "session_id": string;
        "phase": "opening" | "before_game" | "reset";
        "title": string;
        "is_required": boolean;
        "ticked_at": string | null;
        "ticked_by": string | null;
        "stops_start": boolean;
      };
      "closed_organization": {
        "id": string;
        "name": string;
        "slug": string;
        "status": "active" | "suspended" | "closed";
        "timezone": string;
        "currency": string;
        "locale": "es" | "en" | "ca";
        "erased_after": string;
      };
      "consent": {
        "granted": boolean;
        "at": string;
        "wording": string;
        "locale": "es" | "en" | "ca";
      };
      "consents": {
        "terms": Database["public"]["CompositeTypes"]["consent"] | null;
        "privacy": Database["public"]["CompositeTypes"]["consent"] | null;
        "marketing": Database["public"]["CompositeTypes"]["consent"] | null;
      };
      "corrected_payment": {
        "refund_id": string;
        "payment_id": string;
        "booking_id": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "method": "cash" | "card_terminal" | "transfer" | "bizum";
        "amount_cents": number;
        "currency": string;
        "paid_cents": number;
        "refunded_cents": number;
        "open_cents": number;
      };
      "coupon_offer": {
        "code": string;
        "kind": "percent" | "fixed";
        "value": number;
        "minimum_cents": number;
        "valid_until": string | null;
        "total_cents": number | null;
        "discount_cents": number | null;
      };
      "coupon_use": {
        "coupon_id": string;
        "code": string | null;
        "bookings": number;
        "discount_cents": number;
      };
      "created_api_key": {
        "id": string;
        "name": string;
        "prefix": string;
        "secret": string;
        "expires_at": string;
      };
      "currency": {
        "code": string;
        "digits": number;
        "step": number;
        "least_cents": number | null;
      };
      "customer": {
        "id": string;
        "email": string | null;
        "full_name": string | null;
        "phone": string | null;
        "locale": "es" | "en" | "ca";
        "staff_note": string | null;
        "erased_at": string | null;
        "created_at": string;
        "updated_at": string;
        "tags": (string)[] | null;
      };
      "customer_history": {
        "customer": Database["public"]["CompositeTypes"]["customer"];
        "consents": Database["public"]["CompositeTypes"]["consents"];
        "totals": Database["public"]["CompositeTypes"]["customer_totals"];
        "bookings": (Database["public"]["CompositeTypes"]["customer_visit"])[];
      };
      "customer_totals": {
        "bookings": number;
        "visits": number;
        "no_shows": number;
        "cancelled": number;
        "upcoming": number;
        "last_visit_at": string | null;
        "currency": string;
        "paid_cents": number | null;
        "refunded_cents": number | null;
      };
      "customer_visit": {
        "id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "starts_at": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "currency": string;
        "total_cents": number;
        "paid_cents": number | null;
        "refunded_cents": number | null;
        "staff_note": string;
      };
      "dependent_rows": {
        "table_name": string;
        "rows": number;
        "on_delete": "refused" | "deleted" | "kept";
      };
      "dependents": {
        "bookings_to_come": number;
        "first_starts_at": string | null;
        "last_starts_at": string | null;
        "can_be_deleted": boolean;
        "dependents": (Database["public"]["CompositeTypes"]["dependent_rows"])[];
      };
      "desk_booking": {
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "hold_expires_at": string | null;
        "starts_at": string;
        "ends_at": string;
        "timezone": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "seats": number;
        "exclusive": boolean;
        "extras": (Database["public"]["CompositeTypes"]["booked_extra"])[];
        "fields": Json | null;
        "customer_note": string | null;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "id": string;
        "paid_cents": number | null;
        "refunded_cents": number | null;
        "open_cents": number | null;
        "terms": Database["public"]["CompositeTypes"]["cancellation_terms"];
        "manage_token": string | null;
        "undo": Database["public"]["CompositeTypes"]["undone_refunds"] | null;
      };
      "desk_order": {
        "id": string;
        "reference": string;
        "order_token": string | null;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "paid_cents": number | null;
        "refunded_cents": number | null;
        "open_cents": number | null;
        "bookings": (Database["public"]["CompositeTypes"]["desk_booking"])[];
      };
      "dns_record": {
        "type": string;
        "name": string;
        "value": string;
        "priority": number | null;
        "status": string;
      };
      "feed_session": {
        "uid": string;
        "starts_at": string;
        "ends_at": string;
        "room_name": string;
        "location": string;
        "status": "held" | "confirmed" | "cancelled" | "block";
        "party_size": number | null;
        "booking_reference": string | null;
        "updated_at": string;
        "sequence": number;
      };
      "field_choice": {
        "value": string;
        "label": Json;
      };
      "found_booking": {
        "id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "starts_at": string;
        "timezone": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "customer_id": string;
        "contact_name": string | null;
        "email": string | null;
        "phone": string | null;
        "matched": "reference" | "words" | "date";
        "mail_problem":
          | "bounced"
          | "complained"
          | "failed"
          | "suppressed"
          | "limited"
          | "dead"
          | null;
        "tags": (string)[];
      };
      "game_clock": {
        "session_id": string;
        "state": "ready" | "running" | "paused" | "finished";
        "server_time": string;
        "started_at": string | null;
        "started_by": string | null;
        "finished_at": string | null;
        "duration_ms": number;
        "elapsed_ms": number;
        "remaining_ms": number;
        "paused_ms": number;
        "pauses": number;
        "hints": number;
        "outcome": string | null;
        "results": (Database["public"]["Tables"]["game_results"]["Row"])[];
        "changed": boolean;
      };
      "game_sums": {
        "results": number;
        "escaped": number;
        "failed": number;
        "aborted": number;
        "escaped_bp": number | null;
        "average_escape_seconds": number | null;
        "median_escape_seconds": number | null;
        "hints": number;
        "games": number;
        "staff_minutes": number;
        "staff_minutes_per_game": number | null;
      };
      "games_report": {
        "from_date": string;
        "to_date": string;
        "previous_from_date": string;
        "previous_to_date": string;
        "total": Database["public"]["CompositeTypes"]["game_sums"];
        "previous": Database["public"]["CompositeTypes"]["game_sums"];
        "rooms": (Database["public"]["CompositeTypes"]["room_games"])[];
        "locations": (Database["public"]["CompositeTypes"]["location_games"])[];
      };
      "held_booking": {
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "hold_expires_at": string | null;
        "starts_at": string;
        "ends_at": string;
        "timezone": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "seats": number;
        "exclusive": boolean;
        "extras": (Database["public"]["CompositeTypes"]["booked_extra"])[];
        "fields": Json;
        "customer_note": string;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "confirm_by_email": boolean;
        "manage_token": string;
        "payable_cents": number;
        "rest_payable_until": string | null;
      };
      "held_order": {
        "reference": string;
        "order_token": string;
        "hold_expires_at": string | null;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
        "payable_cents": number;
        "bookings": (Database["public"]["CompositeTypes"]["held_booking"])[];
      };
      "incident": {
        "incident_id": string;
        "room_id": string;
        "status": "open" | "in_repair" | "solved";
        "block_id": string | null;
        "booked_sessions": (string)[];
      };
      "invitation": {
        "id": string;
        "email": string;
        "role_id": string;
        "expires_at": string;
      };
      "issued_token": {
        "id": string;
        "token": string;
      };
      "join_code_state": {
        "enabled": boolean;
        "code": string | null;
      };
      "joined_organization": {
        "id": string;
        "name": string;
        "slug": string;
        "status": "active" | "suspended" | "closed";
        "timezone": string;
        "currency": string;
        "locale": "es" | "en" | "ca";
        "role": Database["public"]["CompositeTypes"]["role_name"];
        "permissions": (string)[];
      };
      "late_arrival": {
        "minutes": number;
        "outcome": "shifted" | "shorter_offered" | "shortened" | "noted";
        "starts_at": string;
        "ends_at": string;
        "offered_starts_at": string | null;
        "offered_ends_at": string | null;
      };
      "lead_bookings": {
        "from_days": number;
        "to_days": number | null;
        "bookings": number;
      };
      "leaderboard": {
        "entries": (Database["public"]["CompositeTypes"]["leaderboard_entry"])[];
      };
      "leaderboard_entry": {
        "rank": number;
        "room_id": string;
        "room_name": string;
        "team_name": string | null;
        "escape_seconds": number;
        "percentile_bp": number;
        "hints": number;
        "party_size": number;
        "played_on": string;
      };
      "ledger_balance": {
        "account":
          | "stripe_balance"
          | "stripe_fees"
          | "platform_fees"
          | "cash_drawer"
          | "card_terminal"
          | "bank"
          | "customers"
          | "charges"
          | "sales"
          | "tax"
          | "voucher_liability"
          | "vouchers_issued"
          | "vouchers_expired"
          | "disputes"
          | "dispute_losses"
          | "cash_differences";
        "currency": string;
        "opening_cents": number;
        "debit_cents": number;
        "credit_cents": number;
        "balance_cents": number;
      };
      "left_open": {
        "kind": "api_key" | "calendar_feed" | "waiver_kiosk" | "webhook_endpoint";
        "id": string;
        "name": string;
        "made_by": string | null;
        "created_at": string;
        "last_used_at": string | null;
        "expires_at": string | null;
      };
      "lifted_block": {
        "session_id": string | null;
        "block_id": string;
        "sessions": number;
        "status": "cancelled";
      };
      "location_bookings": {
        "location_id": string;
        "name": string;
        "sums": Database["public"]["CompositeTypes"]["booking_sums"];
        "previous": Database["public"]["CompositeTypes"]["booking_sums"];
      };
      "location_games": {
        "location_id": string;
        "name": string;
        "sums": Database["public"]["CompositeTypes"]["game_sums"];
        "previous": Database["public"]["CompositeTypes"]["game_sums"];
      };
      "location_revenue": {
        "location_id": string;
        "name": string;
        "sums": Database["public"]["CompositeTypes"]["revenue_sums"];
        "previous": Database["public"]["CompositeTypes"]["revenue_sums"];
      };
      "logged_change": {
        "id": number;
        "occurred_at": string;
        "actor_kind": "user" | "api_key" | "support" | "service" | "customer" | "system";
        "actor_id": string | null;
        "action": "insert" | "update" | "delete";
        "table_name": string;
      };
      "mail_preview": {
        "to_name": string;
        "data": Json;
      };
      "marked_notifications": {
        "marked": number;
      };
      "member": {
        "user_id": string;
        "email": string | null;
        "full_name": string | null;
        "status": "active" | "suspended";
        "role": Database["public"]["CompositeTypes"]["role_name"];
      };
      "method_revenue": {
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "received_cents": number;
        "refunded_cents": number;
        "net_cents": number;
      };
      "moved_bookings": {
        "moves": (Database["public"]["CompositeTypes"]["planned_move"])[];
        "conflicts": number;
      };
      "my_booking": {
        "id": string;
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "hold_expires_at": string | null;
        "starts_at": string;
        "ends_at": string;
        "timezone": string;
        "room_id": string;
        "room_name": string;
        "party_size": number;
        "currency": string;
        "total_cents": number;
        "due_now_cents": number;
      };
      "notice_address": {
        "id": string;
        "email": string;
        "confirmed_at": string | null;
      };
      "notification": {
        "id": string;
        "type":
          | "booking_new"
          | "booking_changed"
          | "booking_cancelled"
          | "booking_paid_late"
          | "payment_disputed"
          | "mail_problem"
          | "last_minute"
          | "session_assigned"
          | "session_released"
          | "session_changed"
          | "day_board";
        "title": string;
        "body": string;
        "link": string;
        "booking_id": string | null;
        "read_at": string | null;
        "created_at": string;
      };
      "occupancy_hour": {
        "weekday": number;
        "hour": number;
        "sums": Database["public"]["CompositeTypes"]["occupancy_sums"];
      };
      "occupancy_report": {
        "from_date": string;
        "to_date": string;
        "previous_from_date": string;
        "previous_to_date": string;
        "total": Database["public"]["CompositeTypes"]["occupancy_sums"];
        "previous": Database["public"]["CompositeTypes"]["occupancy_sums"];
        "rooms": (Database["public"]["CompositeTypes"]["room_occupancy"])[];
        "hours": (Database["public"]["CompositeTypes"]["occupancy_hour"])[];
      };
      "occupancy_sums": {
        "offered_games": number;
        "sold_games": number;
        "offered_minutes": number;
        "sold_minutes": number;
        "occupancy_bp": number | null;
        "outside_games": number;
        "outside_minutes": number;
        "waitlisted": number;
        "lapsed_holds": number;
      };
      "order_change_quote": {
        "currency": string;
        "total_cents": number;
        "difference_cents": number;
        "refund_cents": number;
        "open_cents": number;
        "bookings": (Database["public"]["CompositeTypes"]["change_quote"])[];
      };
      "order_quote": {
        "currency": string;
        "total_cents": number;
        "tax_cents": number;
        "due_now_cents": number;
        "bookings": (Database["public"]["CompositeTypes"]["quote"])[];
      };
      "organization": {
        "id": string;
        "name": string;
        "slug": string;
        "status": "active" | "suspended" | "closed";
        "timezone": string;
        "currency": string;
        "locale": "es" | "en" | "ca";
      };
      "organizations_by_status": {
        "active": number;
        "suspended": number;
        "closed": number;
      };
      "party_bookings": {
        "party_size": number;
        "bookings": number;
      };
      "party_result": {
        "outcome": "escaped" | "failed" | "aborted";
        "escape_seconds": number | null;
        "duration_seconds": number;
        "hints": number;
        "percentile_bp": number | null;
        "team_name": string | null;
        "name_status": "pending" | "approved" | "rejected";
        "is_public": boolean;
      };
      "payment_entry": {
        "id": string;
        "booking_id": string;
        "reference": string;
        "contact_name": string | null;
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "status": "pending" | "succeeded" | "failed" | "partly_refunded" | "refunded" | "corrected";
        "amount_cents": number;
        "refunded_cents": number;
        "currency": string;
        "occurred_at": string;
      };
      "payment_link": {
        "reference": string;
        "pay_token": string;
        "calendar": string | null;
        "site_url": string | null;
        "currency": string;
        "payable_cents": number;
        "rest_payable_until": string | null;
      };
      "payment_share": {
        "share_id": string;
        "status": "open" | "paid" | "late" | "over" | "returned";
        "amount_cents": number;
        "currency": string;
        "returned_cents": number;
        "expires_at": string;
        "organizer": string;
        "room": string;
        "venue": string;
        "starts_at": string;
        "timezone": string;
        "locale": "es" | "en" | "ca";
        "calendar": string | null;
        "site_url": string | null;
        "paying": boolean;
      };
      "pending_refund": {
        "refund_request_id": string;
        "booking_id": string;
        "reference": string;
        "contact_name": string | null;
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "by_hand": boolean;
        "status": "pending" | "failed";
        "stuck": boolean;
        "problem": string | null;
        "amount_cents": number;
        "currency": string;
        "reason":
          | "cancelled"
          | "changed"
          | "no_show"
          | "overpaid"
          | "paid_late"
          | "hold_expired"
          | "staff"
          | "provider";
        "note": string | null;
        "requested_at": string;
        "disputed": boolean;
      };
      "person": {
        "id": string;
        "email": string;
        "full_name": string;
        "locale": "es" | "en" | "ca";
      };
      "placed_voucher_order": {
        "order_id": string;
        "order_token": string;
        "amount_cents": number;
        "currency": string;
      };
      "plan_numbers": {
        "plan_key": string | null;
        "status":
          | "trialing"
          | "active"
          | "past_due"
          | "unpaid"
          | "canceled"
          | "incomplete"
          | "incomplete_expired"
          | "paused";
        "billing_interval": "month" | "year";
        "currency": string;
        "organizations": number;
        "month_cents": number;
      };
      "plan_use": {
        "limit": "rooms" | "locations" | "calendars" | "members" | "bookings_month";
        "maximum": number | null;
        "used": number;
      };
      "planned_move": {
        "booking_id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "contact_name": string | null;
        "party_size": number;
        "from_starts_at": string;
        "to_room_id": string;
        "to_starts_at": string;
        "to_ends_at": string | null;
        "within_hours": boolean;
        "currency": string;
        "total_cents": number;
        "new_total_cents": number | null;
        "refund_cents": number | null;
        "conflict": string | null;
      };
      "platform_numbers": {
        "organizations": Database["public"]["CompositeTypes"]["organizations_by_status"];
        "users": number;
        "bookings_30_days": Database["public"]["CompositeTypes"]["bookings_by_status"];
        "open_support_entries": number;
        "subscriptions": Database["public"]["CompositeTypes"]["platform_subscriptions"];
      };
      "platform_organization": {
        "id": string;
        "name": string;
        "slug": string;
        "status": "active" | "suspended" | "closed";
        "created_at": string;
        "members": number;
        "bookings_30_days": number;
      };
      "platform_subscriptions": {
        "plans": (Database["public"]["CompositeTypes"]["plan_numbers"])[];
        "granted": number;
        "trials_ending_7_days": number;
        "overdue": number;
        "doubled": number;
      };
      "price_line": {
        "kind": "base" | "extra" | "discount" | "fee";
        "description": string;
        "quantity": number;
        "unit_cents": number;
        "total_cents": number;
        "tax_rate_bp": number;
        "tax_cents": number;
        "extra_id": string | null;
      };
      "promised_refund": {
        "refund_request_id": string;
        "payment_id": string;
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "amount_cents": number;
        "status": "pending" | "succeeded" | "failed" | "withdrawn";
        "disputed": boolean;
      };
      "published_waiver": {
        "id": string;
        "room_id": string | null;
        "version": number;
        "published_at": string;
      };
      "quote": {
        "room_id": string;
        "starts_at": string;
        "ends_at": string;
        "party_size": number;
        "currency": string;
        "lines": (Database["public"]["CompositeTypes"]["price_line"])[];
        "total_cents": number;
        "tax_cents": number;
        "due_now_cents": number;
        "voucher_cents": number;
        "terms": Database["public"]["CompositeTypes"]["cancellation_terms"];
      };
      "recent_changes": {
        "until": string;
        "is_whole": boolean;
        "changes": (Database["public"]["CompositeTypes"]["changed_row"])[];
      };
      "recorded_payment": {
        "payment_id": string;
        "booking_id": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show";
        "method": "cash" | "card_terminal" | "transfer" | "bizum";
        "amount_cents": number;
        "currency": string;
        "paid_cents": number;
        "refunded_cents": number;
        "open_cents": number;
      };
      "recorded_refund": {
        "refund_id": string;
        "refund_request_id": string;
        "booking_id": string;
        "method": "cash" | "card_terminal" | "transfer" | "bizum";
        "amount_cents": number;
        "currency": string;
        "paid_cents": number;
        "refunded_cents": number;
      };
      "released_assignment": {
        "session_id": string;
        "user_id": string;
      };
      "removed_waitlist_entry": {
        "id": string;
        "status": "booked" | "lapsed" | "declined" | "left" | "removed" | "expired";
      };
      "report_answer": {
        "rows": (Json)[];
        "is_cut": boolean;
      };
      "resent_email": {
        "id": string;
        "template":
          | "booking_confirmed"
          | "booking_pending"
          | "booking_cancelled"
          | "payment_request"
          | "waiver_request"
          | "voucher_issued"
          | "voucher_bought";
      };
      "revenue_point": {
        "from_date": string;
        "to_date": string;
        "sums": Database["public"]["CompositeTypes"]["revenue_sums"];
      };
      "revenue_report": {
        "currency": string;
        "from_date": string;
        "to_date": string;
        "previous_from_date": string;
        "previous_to_date": string;
        "granularity": "day" | "week" | "month" | "quarter";
        "total": Database["public"]["CompositeTypes"]["revenue_sums"];
        "previous": Database["public"]["CompositeTypes"]["revenue_sums"];
        "change": Database["public"]["CompositeTypes"]["revenue_sums"];
        "methods": (Database["public"]["CompositeTypes"]["method_revenue"])[];
        "rooms": (Database["public"]["CompositeTypes"]["room_revenue"])[];
        "locations": (Database["public"]["CompositeTypes"]["location_revenue"])[];
        "channels": (Database["public"]["CompositeTypes"]["channel_revenue"])[];
        "taxes": (Database["public"]["CompositeTypes"]["tax_revenue"])[];
        "coupons": (Database["public"]["CompositeTypes"]["coupon_use"])[];
        "vouchers": Database["public"]["CompositeTypes"]["voucher_use"];
        "series": (Database["public"]["CompositeTypes"]["revenue_point"])[];
      };
      "revenue_sums": {
        "received_cents": number;
        "refunded_cents": number;
        "net_cents": number;
        "sales_cents": number;
        "tax_cents": number;
        "expected_cents": number;
        "outstanding_cents": number;
      };
      "revoked_token": {
        "id": string;
        "revoked_at": string;
      };
      "role": {
        "id": string;
        "key": string;
        "name": string;
        "description": string;
        "is_system": boolean;
        "permissions": (string)[];
      };
      "role_name": {
        "id": string;
        "key": string;
        "name": string;
      };
      "room_block": {
        "block_id": string;
        "session_id": string | null;
        "sessions": number;
        "room_id": string | null;
        "location_id": string | null;
        "starts_at": string;
        "ends_at": string;
        "repeats": "none" | "daily" | "weekly";
        "until": string | null;
        "reason": string;
      };
      "room_bookings": {
        "room_id": string;
        "name": string;
        "location_id": string;
        "sums": Database["public"]["CompositeTypes"]["booking_sums"];
        "previous": Database["public"]["CompositeTypes"]["booking_sums"];
      };
      "room_deposit": {
        "kind": "full" | "none" | "percent" | "fixed" | "person";
        "value": number;
      };
      "room_extra": {
        "id": string;
        "name": Json;
        "description": Json;
        "price_cents": number;
        "per": "booking" | "person";
        "maximum_quantity": number;
      };
      "room_games": {
        "room_id": string;
        "name": string;
        "location_id": string;
        "sums": Database["public"]["CompositeTypes"]["game_sums"];
        "previous": Database["public"]["CompositeTypes"]["game_sums"];
      };
      "room_image": {
        "path": string;
        "alt": Json;
      };
      "room_occupancy": {
        "room_id": string;
        "name": string;
        "location_id": string;
        "sums": Database["public"]["CompositeTypes"]["occupancy_sums"];
      };
      "room_revenue": {
        "room_id": string;
        "name": string;
        "location_id": string;
        "sums": Database["public"]["CompositeTypes"]["revenue_sums"];
        "previous": Database["public"]["CompositeTypes"]["revenue_sums"];
      };
      "scanned_booking": {
        "booking_id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "room_name": string;
        "starts_at": string;
        "timezone": string;
        "party_size": number;
        "contact_name": string | null;
        "currency": string;
        "open_cents": number | null;
        "unsigned_waivers": number;
      };
      "signed_waiver": {
        "signature_id": string;
        "signed": number;
        "needed": number;
        "version": number;
      };
      "status_bookings": {
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "bookings": number;
      };
      "stripe_account": {
        "payments": "own_account" | "platform_account" | "unavailable";
        "missing": "account" | "details" | "requirements" | "review" | "authorization" | null;
        "account_id": string | null;
        "charges_enabled": boolean;
        "payouts_enabled": boolean;
        "details_submitted": boolean;
        "requirements": (string)[];
        "requirements_due_at": string | null;
        "disabled_reason": string | null;
        "deauthorized_at": string | null;
        "as_of": string | null;
      };
      "suspended_member": {
        "user_id": string;
        "email": string | null;
        "full_name": string | null;
        "status": "active" | "suspended";
        "role": Database["public"]["CompositeTypes"]["role_name"];
        "left_open": (Database["public"]["CompositeTypes"]["left_open"])[];
      };
      "tax_revenue": {
        "tax_rate_bp": number;
        "tax_cents": number;
      };
      "unassigned_session": {
        "session_id": string;
        "room_id": string;
        "starts_at": string;
        "reason": "nobody_skilled" | "nobody_on_shift" | "nobody_free" | "session_busy";
      };
      "undone_refunds": {
        "withdrawn_cents": number;
        "refunded_cents": number;
      };
      "unread_notifications": {
        "unread": number;
        "newest_at": string | null;
      };
      "user_context": {
        "user": Database["public"]["CompositeTypes"]["person"];
        "active_organization_id": string | null;
        "organizations": (Database["public"]["CompositeTypes"]["joined_organization"])[];
      };
      "venue": {
        "name": string;
        "slug": string;
      };
      "venue_profile": {
        "logo_path": string | null;
        "website": string | null;
        "contact_email": string | null;
        "phone": string | null;
        "descriptions": Json;
        "business_type":
          | "escape_room"
          | "outdoor_game"
          | "virtual_reality"
          | "laser_tag"
          | "board_games"
          | "activity_center"
          | "other"
          | null;
      };
      "voucher_email": {
        "id": string;
        "template": "voucher_issued" | "voucher_bought";
        "recipient": string | null;
        "status":
          | "waiting"
          | "held"
          | "void"
          | "sent"
          | "delivered"
          | "not_needed"
          | "dead"
          | "bounced"
          | "complained"
          | "failed"
          | "suppressed"
          | "limited";
        "reason": string | null;
        "created_at": string;
        "sent_at": string | null;
        "due_at": string | null;
      };
      "voucher_offer": {
        "currency": string;
        "minimum_cents": number | null;
        "maximum_cents": number | null;
        "products": (Database["public"]["CompositeTypes"]["voucher_product"])[];
        "validity_months": number | null;
        "refund_days": number;
        "timezone": string;
        "last_delivery_on": string;
      };
      "voucher_order": {
        "order_id": string;
        "status": "open" | "over" | "paid" | "withdrawn";
        "amount_cents": number;
        "currency": string;
        "product": string | null;
        "recipient_name": string;
        "message": string;
        "deliver_on": string | null;
        "code": string | null;
        "valid_until": string | null;
      };
      "voucher_product": {
        "id": string;
        "name": string;
        "description": string | null;
        "amount_cents": number;
      };
      "voucher_use": {
        "redemptions": number;
        "redeemed_cents": number;
        "returned_cents": number;
        "issued_cents": number | null;
        "expired_cents": number | null;
      };
      "waitlist_entry": {
        "status":
          | "waiting"
          | "offered"
          | "booked"
          | "lapsed"
          | "declined"
          | "left"
          | "removed"
          | "expired";
        "calendar_slug": string;
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "room_id": string | null;
        "room_name": string | null;
        "from_date": string;
        "to_date": string;
        "starts_at": string | null;
        "party_size": number;
        "offer": Database["public"]["CompositeTypes"]["held_booking"] | null;
        "waitlist_token": string | null;
      };
      "waiver": {
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "room_name": string;
        "starts_at": string;
        "timezone": string;
        "policy": "optional" | "required";
        "signed": number;
        "needed": number;
        "open": boolean;
        "version": number;
        "locale": "es" | "en" | "ca";
        "locales": (string)[];
        "text": string;
      };
      "waiver_kiosk": {
        "organization": Database["public"]["CompositeTypes"]["venue"];
        "location_name": string;
        "timezone": string;
        "parties": (Database["public"]["CompositeTypes"]["waiver_party"])[];
      };
      "waiver_minor": {
        "full_name": string;
        "birth_year": number;
      };
      "waiver_party": {
        "reference": string;
        "room_name": string;
        "starts_at": string;
        "signed": number;
        "needed": number;
        "missing": number;
        "token": string | null;
      };
      "waiver_progress": {
        "policy": "none" | "optional" | "required";
        "signed": number;
        "needed": number;
        "missing": number;
      };
      "waiver_signature": {
        "id": string;
        "booking_id": string;
        "waiver_text_id": string;
        "version": number;
        "locale": "es" | "en" | "ca";
        "full_name": string;
        "email": string | null;
        "plays": boolean;
        "minors": (Database["public"]["CompositeTypes"]["waiver_minor"])[];
        "people": number;
        "signed_at": string;
        "text": string;
        "drawing": string | null;
      };
      "webhook_attempt": {
        "number": number;
        "attempted_at": string;
        "outcome":
          | "delivered"
          | "refused"
          | "redirected"
          | "timed_out"
          | "unreachable"
          | "address_refused";
        "answer_code": number | null;
        "duration_ms": number;
      };
      "webhook_booking": {
        "id": string;
        "reference": string;
        "status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "no_show"
          | "expired"
          | "cancelled";
        "source": "widget" | "direct" | "marketplace" | "api";
        "locale": "es" | "en" | "ca";
        "organization_id": string;
        "customer_id": string;
        "room": Database["public"]["CompositeTypes"]["webhook_room"];
        "location": Database["public"]["CompositeTypes"]["webhook_location"];
        "calendar": Database["public"]["CompositeTypes"]["webhook_calendar"] | null;
        "starts_at": string;
        "ends_at": string;
        "timezone": string;
        "starts_at_local": string;
        "ends_at_local": string;
        "hold_expires_at": string | null;
        "party_size": number;
        "exclusive": boolean;
        "extras": (Database["public"]["CompositeTypes"]["booked_extra"])[];
        "currency": string;
        "total_cents": number;
        "tax_cents": number;
        "due_now_cents": number;
        "paid_cents": number;
        "refunded_cents": number;
        "open_cents": number;
        "cancel_refund": string | null;
        "lines": (Database["public"]["CompositeTypes"]["webhook_line"])[];
        "created_at": string;
        "merged_into_id": string | null;
      };
      "webhook_calendar": {
        "id": string;
        "slug": string;
        "name": string;
      };
      "webhook_customer": {
        "id": string;
        "full_name": string;
        "email": string | null;
        "phone": string | null;
        "note": string;
        "answers": Json;
        "team_name": string | null;
      };
      "webhook_data": {
        "booking": Database["public"]["CompositeTypes"]["webhook_booking"] | null;
        "customer": Database["public"]["CompositeTypes"]["webhook_customer"] | null;
        "change": Json | null;
        "payment": Database["public"]["CompositeTypes"]["webhook_payment"] | null;
        "refund": Database["public"]["CompositeTypes"]["webhook_refund"] | null;
        "dispute": Database["public"]["CompositeTypes"]["webhook_dispute"] | null;
        "erasure": Database["public"]["CompositeTypes"]["webhook_erasure"] | null;
        "result": Database["public"]["CompositeTypes"]["webhook_result"] | null;
      };
      "webhook_delivery": {
        "id": string;
        "endpoint_id": string;
        "event_id": string;
        "event_type": string;
        "booking_id": string | null;
        "occurred_at": string;
        "status": "pending" | "delivered" | "failed";
        "attempts": number;
        "last_attempt_at": string | null;
        "last_outcome":
          | "delivered"
          | "refused"
          | "redirected"
          | "timed_out"
          | "unreachable"
          | "address_refused"
          | null;
        "last_answer_code": number | null;
        "last_duration_ms": number | null;
        "next_attempt_at": string | null;
      };
      "webhook_delivery_details": {
        "delivery": Database["public"]["CompositeTypes"]["webhook_delivery"];
        "attempts": (Database["public"]["CompositeTypes"]["webhook_attempt"])[];
        "event": Database["public"]["CompositeTypes"]["webhook_event"];
      };
      "webhook_dispute": {
        "id": string;
        "payment_id": string;
        "status": string;
        "reason": string;
        "amount_cents": number;
        "currency": string;
        "respond_by": string | null;
      };
      "webhook_erasure": {
        "customer_id": string;
        "merged_customer_ids": (string)[];
        "booking_ids": (string)[];
      };
      "webhook_event": {
        "id": string;
        "type":
          | "booking.held"
          | "booking.pending"
          | "booking.confirmed"
          | "booking.changed"
          | "booking.cancelled"
          | "booking.expired"
          | "booking.checked_in"
          | "booking.started"
          | "booking.completed"
          | "booking.no_show"
          | "booking.undone"
          | "payment.received"
          | "refund.paid"
          | "refund.reversed"
          | "dispute.opened"
          | "dispute.changed"
          | "customer.erased"
          | "result.recorded"
          | "result.changed"
          | "result.withdrawn";
        "version": number;
        "timestamp": string;
        "organization": Database["public"]["CompositeTypes"]["webhook_organization"];
        "data": Database["public"]["CompositeTypes"]["webhook_data"];
      };
      "webhook_line": {
        "kind": "base" | "extra" | "discount" | "fee";
        "description": string;
        "quantity": number;
        "unit_cents": number;
        "total_cents": number;
        "tax_rate_bp": number;
        "tax_cents": number;
      };
      "webhook_location": {
        "id": string;
        "name": string;
        "address": string;
        "phone": string | null;
        "timezone": string;
      };
      "webhook_organization": {
        "id": string;
        "name": string;
      };
      "webhook_payment": {
        "id": string;
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "amount_cents": number;
        "currency": string;
        "occurred_at": string;
      };
      "webhook_refund": {
        "id": string;
        "payment_id": string;
        "method": "stripe" | "cash" | "card_terminal" | "transfer" | "bizum" | "voucher";
        "amount_cents": number;
        "currency": string;
        "reason":
          | "cancelled"
          | "changed"
          | "no_show"
          | "overpaid"
          | "paid_late"
          | "hold_expired"
          | "staff"
          | "provider"
          | "correction";
        "occurred_at": string;
      };
      "webhook_replay": {
        "queued": number;
        "remaining": number;
      };
      "webhook_result": {
        "outcome": "escaped" | "failed" | "aborted";
        "escape_seconds": number | null;
        "duration_seconds": number;
        "pauses": number;
        "hints": number;
        "played_at": string;
        "language": string | null;
        "level": string | null;
        "is_by_hand": boolean;
        "is_public": boolean;
      };
      "webhook_room": {
        "id": string;
        "slug": string;
        "name": string;
      };
      "withdrawn_refund": {
        "refund_request_id": string;
        "booking_id": string;
        "status": "withdrawn" | "failed";
        "amount_cents": number;
        "currency": string;
        "refundable_cents": number;
      };
    };
  };
  "service": {
    Tables: {
      [_ in never]: never;
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "answer_notice_link": {
        Args: { "token": string };
        Returns: Database["service"]["CompositeTypes"]["answered_notice_link"];
        SetofOptions: {
          from: "*";
          to: "answered_notice_link";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "apply_billing": {
        Args: { "billing": Json };
        Returns: Database["service"]["CompositeTypes"]["applied_billing"];
        SetofOptions: {
          from: "*";
          to: "applied_billing";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "apply_checkout_session": {
        Args: { "job_id": number; "lease_token": string; "session": Json };
        Returns: Database["service"]["CompositeTypes"]["applied_checkout"];
        SetofOptions: {
          from: "*";
          to: "applied_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "apply_dispute": {
        Args: { "dispute": Json; "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["applied_dispute"];
        SetofOptions: {
          from: "*";
          to: "applied_dispute";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "apply_refund": {
        Args: { "job_id": number; "lease_token": string; "refund": Json };
        Returns: Database["service"]["CompositeTypes"]["applied_refund"];
        SetofOptions: {
          from: "*";
          to: "applied_refund";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "apply_stripe_account": {
        Args: {
          "account": Json;
          "billing_pass"?: string;
          "job_id"?: number;
          "lease_token"?: string;
        };
        Returns: Database["service"]["CompositeTypes"]["applied_stripe_account"];
        SetofOptions: {
          from: "*";
          to: "applied_stripe_account";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "begin_table_export": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["table_export"] | null;
      };
      "claim_jobs": {
        Args: {
          "kept_for_money"?: number;
          "lease_seconds": number;
          "max_jobs": number;
          "worker": string;
        };
        Returns: Database["service"]["CompositeTypes"]["job"][];
        SetofOptions: {
          from: "*";
          to: "job";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "close_subscription_checkout": {
        Args: { "attempt_id": string; "billing_pass": string; "organization_id": string };
        Returns: boolean;
      };
      "complete_job": { Args: { "job_id": number; "lease_token": string }; Returns: boolean };
      "connect_stripe_account": {
        Args: { "account_id": string; "billing_pass": string; "organization_id": string };
        Returns: string;
      };
      "doubt_sender_domain": {
        Args: { "job_id": number; "lease_token": string };
        Returns: undefined;
      };
      "exchange_api_key": {
        Args: { "address": string; "secret": string };
        Returns: Database["service"]["CompositeTypes"]["api_key"];
      };
      "extend_job": {
        Args: { "job_id": number; "lease_seconds": number; "lease_token": string };
        Returns: boolean;
      };
      "fail_checkout": {
        Args: { "attempt_id": string; "attempt_token": string; "error": string };
        Returns: Database["service"]["CompositeTypes"]["attempt_state"];
        SetofOptions: {
          from: "*";
          to: "attempt_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "fail_job": {
        Args: {
          "error": string;
          "ignored"?: boolean;
          "job_id": number;
          "lease_token": string;
          "retry": boolean;
          "retry_after_seconds"?: number;
        };
        Returns: string;
      };
      "fail_voucher_checkout": {
        Args: { "attempt_id": string; "attempt_token": string };
        Returns: Database["service"]["CompositeTypes"]["attempt_state"];
        SetofOptions: {
          from: "*";
          to: "attempt_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "finish_export": {
        Args: {
          "job_id": number;
          "lease_token": string;
          "object_path": string;
          "row_count": number;
        };
        Returns: undefined;
      };
      "finish_table_export": {
        Args: { "job_id": number; "lease_token": string; "row_count": number };
        Returns: undefined;
      };
      "get_billing_account": {
        Args: { "organization": string };
        Returns: Database["service"]["CompositeTypes"]["billing_account"];
        SetofOptions: {
          from: "*";
          to: "billing_account";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_checkout_attempt": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["checkout_attempt"];
        SetofOptions: {
          from: "*";
          to: "checkout_attempt";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "get_refund_request": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["refund_request"];
        SetofOptions: {
          from: "*";
          to: "refund_request";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "health": {
        Args: Record<PropertyKey, never>;
        Returns: Database["service"]["CompositeTypes"]["health"];
        SetofOptions: {
          from: "*";
          to: "health";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "limit_checkouts": { Args: { "address": string }; Returns: undefined };
      "list_dead_jobs": {
        Args: { "before_id"?: number; "ignored"?: boolean; "max_jobs"?: number };
        Returns: Database["service"]["CompositeTypes"]["dead_job"][];
        SetofOptions: {
          from: "*";
          to: "dead_job";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "list_stripe_accounts": { Args: Record<PropertyKey, never>; Returns: (string)[] };
      "measures": {
        Args: Record<PropertyKey, never>;
        Returns: Database["service"]["CompositeTypes"]["measure"][];
        SetofOptions: {
          from: "*";
          to: "measure";
          isOneToOne: false;
          isSetofReturn: true;
        };
      };
      "open_checkout": {
        Args: { "manage_token": string; "reference": string; "whole"?: boolean };
        Returns: Database["service"]["CompositeTypes"]["open_checkout"];
        SetofOptions: {
          from: "*";
          to: "open_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_share_checkout": {
        Args: { "share_id": string; "share_token": string };
        Returns: Database["service"]["CompositeTypes"]["open_checkout"];
        SetofOptions: {
          from: "*";
          to: "open_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_stripe_account": {
        Args: { "anew": boolean; "billing_pass": string; "organization_id": string };
        Returns: Database["service"]["CompositeTypes"]["stripe_account_order"];
        SetofOptions: {
          from: "*";
          to: "stripe_account_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_subscription_checkout": {
        Args: {
          "billing_interval": string;
          "billing_pass": string;
          "organization_id": string;
          "plan_key": string;
        };
        Returns: Database["service"]["CompositeTypes"]["subscription_order"];
        SetofOptions: {
          from: "*";
          to: "subscription_order";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "open_voucher_checkout": {
        Args: { "order_id": string; "order_token": string };
        Returns: Database["service"]["CompositeTypes"]["open_checkout"];
        SetofOptions: {
          from: "*";
          to: "open_checkout";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "plan_subscription_change": {
        Args: {
          "billing_interval": string;
          "billing_pass": string;
          "organization_id": string;
          "plan_key": string;
        };
        Returns: Database["service"]["CompositeTypes"]["subscription_change"];
        SetofOptions: {
          from: "*";
          to: "subscription_change";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "prepare_email": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["prepared_email"] | null;
      };
      "prepare_report": {
        Args: { "caller": string; "organization_id": string; "statement": string };
        Returns: string;
      };
      "prepare_webhook": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["prepared_webhook"] | null;
      };
      "prove_sender_domain": {
        Args: { "job_id": number; "lease_token": string; "proofs": (string)[] };
        Returns: boolean;
      };
      "queue_auth_emails": { Args: { "emails": Json; "hook_id": string }; Returns: undefined };
      "queue_stale_checkouts": { Args: { "older_than_seconds": number }; Returns: number };
      "queue_stale_stripe_accounts": {
        Args: { "account_id"?: string; "older_than_seconds": number };
        Returns: number;
      };
      "queue_stale_subscriptions": { Args: { "older_than_seconds": number }; Returns: number };
      "queue_statistics": {
        Args: Record<PropertyKey, never>;
        Returns: Database["service"]["CompositeTypes"]["queue_statistics"];
        SetofOptions: {
          from: "*";
          to: "queue_statistics";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "read_email_words": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["email_words"] | null;
      };
      "read_month": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["month_figures"];
        SetofOptions: {
          from: "*";
          to: "month_figures";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "read_organization": {
        Args: { "after"?: Json; "job_id": number; "lease_token": string; "max_rows"?: number };
        Returns: Json[];
      };
      "read_sender_domain": {
        Args: { "job_id": number; "lease_token": string };
        Returns: Database["service"]["CompositeTypes"]["sender_domain"] | null;
      };
      "read_table_export": {
        Args: {
          "after"?: string;
          "job_id": number;
          "lease_token": string;
          "max_rows"?: number;
          "rows_before"?: number;
        };
        Returns: Json[];
      };
      "receive_stripe_event": {
        Args: { "event": Json };
        Returns: Database["service"]["CompositeTypes"]["received"];
        SetofOptions: {
          from: "*";
          to: "received";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_checkout": {
        Args: {
          "attempt_id": string;
          "attempt_token": string;
          "expires_at": string;
          "session_id": string;
          "url": string;
        };
        Returns: Database["service"]["CompositeTypes"]["attempt_state"];
        SetofOptions: {
          from: "*";
          to: "attempt_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_email": {
        Args: {
          "job_id": number;
          "lease_token": string;
          "provider": string;
          "provider_message_id": string;
        };
        Returns: Database["service"]["CompositeTypes"]["recorded_email"];
        SetofOptions: {
          from: "*";
          to: "recorded_email";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_email_event": {
        Args: { "event": Json };
        Returns: Database["service"]["CompositeTypes"]["received"];
        SetofOptions: {
          from: "*";
          to: "received";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_email_words": {
        Args: {
          "body": string;
          "job_id": number;
          "lease_token": string;
          "problem": Json;
          "subject": string;
        };
        Returns: undefined;
      };
      "record_sender_domain": {
        Args: {
          "job_id": number;
          "lease_token": string;
          "provider_id": string;
          "records": Json;
          "status": string;
        };
        Returns: boolean;
      };
      "record_stripe_account": {
        Args: {
          "account_id": string;
          "billing_pass": string;
          "id": string;
          "organization_id": string;
        };
        Returns: string;
      };
      "record_stripe_customer": {
        Args: { "billing_pass": string; "customer_id": string; "organization_id": string };
        Returns: string;
      };
      "record_subscription_checkout": {
        Args: {
          "attempt_id": string;
          "billing_pass": string;
          "expires_at": string;
          "organization_id": string;
          "session_id": string;
          "url": string;
        };
        Returns: string;
      };
      "record_voucher_checkout": {
        Args: {
          "attempt_id": string;
          "attempt_token": string;
          "expires_at": string;
          "session_id": string;
          "url": string;
        };
        Returns: Database["service"]["CompositeTypes"]["attempt_state"];
        SetofOptions: {
          from: "*";
          to: "attempt_state";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "record_webhook": {
        Args: {
          "answer_code": number;
          "attempt": number;
          "delivery_id": string;
          "duration_ms": number;
          "job_id": number;
          "lease_token": string;
          "outcome": string;
        };
        Returns: Database["service"]["CompositeTypes"]["recorded_webhook"];
        SetofOptions: {
          from: "*";
          to: "recorded_webhook";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "retry_dead_jobs": {
        Args: { "kind"?: string; "max_jobs"?: number };
        Returns: Database["service"]["CompositeTypes"]["retried"];
        SetofOptions: {
          from: "*";
          to: "retried";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "retry_job": {
        Args: { "job_id": number };
        Returns: Database["service"]["CompositeTypes"]["retried_job"];
        SetofOptions: {
          from: "*";
          to: "retried_job";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "sweep": {
        Args: Record<PropertyKey, never>;
        Returns: Database["service"]["CompositeTypes"]["swept"];
        SetofOptions: {
          from: "*";
          to: "swept";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "sweep_notices": {
        Args: Record<PropertyKey, never>;
        Returns: Database["service"]["CompositeTypes"]["swept_notices"];
        SetofOptions: {
          from: "*";
          to: "swept_notices";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
      "unsubscribe": {
        Args: { "token": string };
        Returns: Database["service"]["CompositeTypes"]["unsubscribed"];
        SetofOptions: {
          from: "*";
          to: "unsubscribed";
          isOneToOne: true;
          isSetofReturn: false;
        };
      };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      "answered_notice_link": {
        "organization_name": string;
        "is_told": boolean;
      };
      "api_key": {
        "api_key_id": string;
        "organization_id": string;
        "expires_at": string;
      };
      "applied_billing": {
        "organization_id": string | null;
        "outcome": "applied" | "unknown" | "older";
        "unknown_prices": (string)[];
        "changes": (Database["service"]["CompositeTypes"]["billing_change"])[];
      };
      "applied_checkout": {
        "attempt_id": string | null;
        "status": "open" | "failed" | "expired" | "paid" | "unknown";
        "booking_id": string | null;
        "booking_status":
          | "held"
          | "pending"
          | "confirmed"
          | "checked_in"
          | "in_progress"
          | "completed"
          | "expired"
          | "cancelled"
          | "no_show"
          | null;
      };
      "applied_dispute": {
        "dispute_id": string | null;
        "organization_id": string | null;
        "booking_id": string | null;
        "status": string;
      };
      "applied_refund": {
        "refund_request_id": string | null;
        "status": "pending" | "succeeded" | "failed" | "withdrawn" | "unknown";
      };
      "applied_stripe_account": {
        "organization_id": string | null;
        "outcome": "applied" | "unknown" | "older";
        "may_charge": boolean | null;
      };
      "attempt_state": {
        "attempt_id": string;
        "status": "open" | "failed" | "expired" | "paid";
      };
      "billing_account": {
        "organization_id": string;
        "customer_id": string | null;
        "subscription_id": string | null;
        "status": string | null;
        "locale": "es" | "en" | "ca";
        "deleted_customer_id": string | null;
      };
      "billing_change": {
        "field": string;
        "before": string | null;
        "after": string | null;
      };
      "checkout_attempt": {
        "session_id": string | null;
        "status": "open" | "failed" | "expired" | "paid";
        "stripe_account": string | null;
      };
      "dead_job": {
        "id": number;
        "kind": string;
        "organization_id": string | null;
        "payload": Json;
        "attempts": number;
        "last_error": string | null;
        "finished_at": string;
      };
      "email_override": {
        "subject": string | null;
        "body": string | null;
      };
      "email_words": {
        "template": string;
        "locale": "es" | "en" | "ca";
        "subject": string | null;
        "body": string | null;
      };
      "health": {
        "database": "ok";
        "migration": string | null;
        "requests_checked": boolean;
      };
      "job": {
        "id": number;
        "kind": string;
        "payload": Json;
        "attempt": number;
        "lease_token": string;
        "organization_id": string | null;
        "money": boolean;
      };
      "measure": {
        "name":
          | "jobs_queued"
          | "jobs_due"
          | "jobs_running"
          | "jobs_dead"
          | "job_oldest_due_seconds"
          | "webhook_deliveries_pending"
          | "subscriptions_unread_seconds"
          | "accounts_unread_seconds"
          | "connections"
          | "connections_max";
        "kind": string | null;
        "value": number;
      };
      "month_figures": {
        "organization_name": string;
        "first_date": string;
        "revenue": (Database["public"]["CompositeTypes"]["revenue_report"])[];
        "bookings": Database["public"]["CompositeTypes"]["bookings_report"];
        "games": Database["public"]["CompositeTypes"]["games_report"];
        "occupancy": Database["public"]["CompositeTypes"]["occupancy_report"] | null;
        "revenue_before": (Database["public"]["CompositeTypes"]["revenue_report"])[];
        "bookings_before": Database["public"]["CompositeTypes"]["bookings_report"];
        "games_before": Database["public"]["CompositeTypes"]["games_report"];
        "occupancy_before": Database["public"]["CompositeTypes"]["occupancy_report"] | null;
      };
      "open_checkout": {
        "attempt_id": string;
        "attempt_token": string | null;
        "organization_id": string;
        "booking_id": string | null;
        "reference": string;
        "amount_cents": number;
        "currency": string;
        "locale": "es" | "en" | "ca";
        "description": string;
        "customer_email": string | null;
        "expires_at": string;
        "stripe_account": string | null;
        "delayed_methods": boolean;
        "checkout_url": string | null;
        "site_url": string | null;
        "platform_fee_cents": number;
        "closing": boolean;
        "session_id": string | null;
      };
      "prepared_email": {
        "template": string;
        "locale": "es" | "en" | "ca";
        "to": Database["service"]["CompositeTypes"]["recipient"];
        "data": Json;
        "override": Database["service"]["CompositeTypes"]["email_override"] | null;
        "sender_address": string | null;
      };
      "prepared_webhook": {
        "delivery_id": string;
        "event_id": string;
        "attempt": number;
        "url": string;
        "webhook_timestamp": string;
        "webhook_signature": string;
        "body": string;
      };
      "queue_statistics": {
        "queued": number;
        "running": number;
        "dead": number;
        "oldest_queued_seconds": number;
      };
      "received": {
        "duplicate": boolean;
      };
      "recipient": {
        "name": string;
        "email": string;
      };
      "recorded_email": {
        "recorded": boolean;
      };
      "recorded_webhook": {
        "status": "pending" | "delivered" | "failed";
        "endpoint_disabled": boolean;
      };
      "refund_request": {
        "refund_request_id": string;
        "organization_id": string;
        "booking_id": string | null;
        "reference": string;
        "status": "pending" | "succeeded" | "failed" | "withdrawn";
        "amount_cents": number;
        "currency": string;
        "reason":
          | "cancelled"
          | "changed"
          | "no_show"
          | "overpaid"
          | "paid_late"
          | "hold_expired"
          | "staff"
          | "provider";
        "payment_intent": string | null;
        "stripe_account": string | null;
        "provider_refund_id": string | null;
        "refund_fee": boolean;
        "disputed": boolean;
        "disputes": number;
      };
      "retried": {
        "queued": number;
        "superseded": number;
      };
      "retried_job": {
        "id": number;
        "kind": string;
        "status": "queued";
      };
      "sender_domain": {
        "domain": string;
        "provider_id": string | null;
        "claimed_at": string;
        "is_proven": boolean;
        "proof": string;
      };
      "stripe_account_order": {
        "id": string;
        "organization_id": string;
        "organization_name": string;
        "email": string | null;
        "locale": "es" | "en" | "ca";
        "account_id": string | null;
      };
      "subscription_change": {
        "subscription_id": string;
        "lookup_key": string;
        "kind": "upgrade" | "downgrade" | "stay";
      };
      "subscription_order": {
        "attempt_id": string;
        "organization_id": string;
        "organization_name": string;
        "email": string | null;
        "locale": "es" | "en" | "ca";
        "customer_id": string | null;
        "customer_key": string;
        "lookup_key": string;
        "trial_days": number;
        "checkout_url": string | null;
        "former_session_id": string | null;
      };
      "swept": {
        "expired_holds": number;
        "ended_visits": number;
        "forgotten_idempotency_keys": number;
        "forgotten_rate_limits": number;
        "forgotten_jobs": number;
        "waitlist_offers": number;
        "expired_waitlist_entries": number;
        "due_messages": number;
        "lapsing_holds": number;
        "changed_details": number;
        "due_webhooks": number;
        "forgotten_webhooks": number;
      };
      "swept_notices": {
        "told": number;
        "digests": number;
        "boards": number;
        "forgotten": number;
      };
      "table_export": {
        "kind": "bookings" | "payments" | "customers" | "waivers" | "results" | "month";
        "format": "csv" | "xlsx" | "pdf";
        "locale": "es" | "en" | "ca";
        "object_path": string;
        "permissions": (string)[];
      };
      "unsubscribed": {
        "organization_name": string;
      };
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof (
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
      & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
    )
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals } ? (
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    & DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"]
  )[TableName] extends {
    Row: infer R;
  } ? R
  : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R;
    } ? R
    : never
  : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Insert: infer I;
    } ? I
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I;
    } ? I
    : never
  : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends
    {
      Update: infer U;
    } ? U
  : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U;
    } ? U
    : never
  : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  } ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][
    CompositeTypeName
  ]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never;

export const Constants = {
  "public": {
    Enums: {},
  },
  "service": {
    Enums: {},
  },
} as const;
