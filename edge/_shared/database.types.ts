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
          "action": string;
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
          "action": string;
          "actor_id"?: string | null;
          "actor_kind": string;
          "after"?: Json | null;
          "before"?: Json | null;
          "id"?: never;
          "occurred_at"?: string;
          "organization_id": string;
          "request_id"?: string | null;
          "row_key": string;
          "table_name": string;
        };
        Update: {
          "action"?: string;
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "after"?: Json | null;
          "before"?: Json | null;
          "id"?: never;
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
      "booking_history": {
        Row: {
          "actor_id": string | null;
          "actor_kind": string;
          "booking_id": string;
          "from_status": string | null;
          "id": string;
          "occurred_at": string;
          "organization_id": string;
          "reason": string | null;
          "to_status": string;
        };
        ComputedFields: never;
        Insert: {
          "actor_id"?: string | null;
          "actor_kind": string;
          "booking_id": string;
          "from_status"?: string | null;
          "id"?: string;
          "occurred_at"?: string;
          "organization_id": string;
          "reason"?: string | null;
          "to_status": string;
        };
        Update: {
          "actor_id"?: string | null;
          "actor_kind"?: string;
          "booking_id"?: string;
          "from_status"?: string | null;
          "id"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "reason"?: string | null;
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
          "kind": string;
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
          "kind": string;
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
          "kind"?: string;
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
      "bookings": {
        Row: {
          "calendar_id": string | null;
          "contact_name": string;
          "created_at": string;
          "currency": string;
          "customer_id": string;
          "due_now_cents": number;
          "hold_expires_at": string | null;
          "hold_extended_at": string | null;
          "id": string;
          "locale": string;
          "organization_id": string;
          "party_size": number;
          "reference": string;
          "room_id": string;
          "session_id": string;
          "source": string;
          "staff_note": string;
          "starts_at": string;
          "status": string;
          "status_reason": string | null;
          "takes_capacity": boolean;
          "tax_cents": number;
          "total_cents": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id"?: string | null;
          "contact_name": string;
          "created_at"?: string;
          "currency": string;
          "customer_id": string;
          "due_now_cents": number;
          "hold_expires_at"?: string | null;
          "hold_extended_at"?: string | null;
          "id"?: string;
          "locale": string;
          "organization_id": string;
          "party_size": number;
          "reference": string;
          "room_id": string;
          "session_id": string;
          "source"?: string;
          "staff_note"?: string;
          "starts_at": string;
          "status": string;
          "status_reason"?: string | null;
          "takes_capacity"?: never;
          "tax_cents": number;
          "total_cents": number;
          "updated_at"?: string;
        };
        Update: {
          "calendar_id"?: string | null;
          "contact_name"?: string;
          "created_at"?: string;
          "currency"?: string;
          "customer_id"?: string;
          "due_now_cents"?: number;
          "hold_expires_at"?: string | null;
          "hold_extended_at"?: string | null;
          "id"?: string;
          "locale"?: string;
          "organization_id"?: string;
          "party_size"?: number;
          "reference"?: string;
          "room_id"?: string;
          "session_id"?: string;
          "source"?: string;
          "staff_note"?: string;
          "starts_at"?: string;
          "status"?: string;
          "status_reason"?: string | null;
          "takes_capacity"?: never;
          "tax_cents"?: number;
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
      "calendar_feeds": {
        Row: {
          "created_at": string;
          "id": string;
          "name": string;
          "organization_id": string;
          "revoked_at": string | null;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "organization_id": string;
          "revoked_at"?: string | null;
        };
        Update: {
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "revoked_at"?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "calendar_feeds_organization_fkey";
            columns: ["organization_id"];
            isOneToOne: false;
            referencedRelation: "organizations";
            referencedColumns: ["id"];
          },
        ];
      };
      "calendar_rooms": {
        Row: {
          "calendar_id": string;
          "organization_id": string;
          "position": number;
          "room_id": string;
        };
        ComputedFields: never;
        Insert: {
          "calendar_id": string;
          "organization_id"?: string;
          "position"?: number;
          "room_id": string;
        };
        Update: {
          "calendar_id"?: string;
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
          "created_at": string;
          "hold_minutes": number;
          "id": string;
          "is_active": boolean;
          "locales": (string)[];
          "maximum_advance_days": number;
          "minimum_notice_minutes": number;
          "name": string;
          "organization_id": string;
          "slug": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "hold_minutes"?: number;
          "id"?: string;
          "is_active"?: boolean;
          "locales"?: (string)[];
          "maximum_advance_days"?: number;
          "minimum_notice_minutes"?: number;
          "name": string;
          "organization_id"?: string;
          "slug": string;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "hold_minutes"?: number;
          "id"?: string;
          "is_active"?: boolean;
          "locales"?: (string)[];
          "maximum_advance_days"?: number;
          "minimum_notice_minutes"?: number;
          "name"?: string;
          "organization_id"?: string;
          "slug"?: string;
          "updated_at"?: string;
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
      "customers": {
        Row: {
          "created_at": string;
          "email": string;
          "full_name": string;
          "id": string;
          "locale": string;
          "organization_id": string;
          "phone": string | null;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "email": string;
          "full_name": string;
          "id"?: string;
          "locale": string;
          "organization_id": string;
          "phone"?: string | null;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "email"?: string;
          "full_name"?: string;
          "id"?: string;
          "locale"?: string;
          "organization_id"?: string;
          "phone"?: string | null;
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
      "locations": {
        Row: {
          "address": string;
          "city": string;
          "country": string | null;
          "created_at": string;
          "id": string;
          "name": string;
          "organization_id": string;
          "postal_code": string;
          "timezone": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "address"?: string;
          "city"?: string;
          "country"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name": string;
          "organization_id"?: string;
          "postal_code"?: string;
          "timezone": string;
          "updated_at"?: string;
        };
        Update: {
          "address"?: string;
          "city"?: string;
          "country"?: string | null;
          "created_at"?: string;
          "id"?: string;
          "name"?: string;
          "organization_id"?: string;
          "postal_code"?: string;
          "timezone"?: string;
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
      "memberships": {
        Row: {
          "created_at": string;
          "expires_at": string | null;
          "id": string;
          "organization_id": string;
          "role_id": string;
          "status": string;
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
          "status"?: string;
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "created_at"?: string;
          "expires_at"?: string | null;
          "id"?: string;
          "organization_id"?: string;
          "role_id"?: string;
          "status"?: string;
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
      "organization_exports": {
        Row: {
          "created_at": string;
          "finished_at": string | null;
          "id": string;
          "object_path": string | null;
          "organization_id": string;
          "requested_by": string | null;
          "row_count": number | null;
          "status": string;
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
          "status"?: string;
        };
        Update: {
          "created_at"?: string;
          "finished_at"?: string | null;
          "id"?: string;
          "object_path"?: string | null;
          "organization_id"?: string;
          "requested_by"?: string | null;
          "row_count"?: number | null;
          "status"?: string;
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
          "closed_at": string | null;
          "created_at": string;
          "currency": string;
          "id": string;
          "locale": string;
          "name": string;
          "slug": string;
          "status": string;
          "timezone": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "closed_at"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "locale"?: string;
          "name": string;
          "slug": string;
          "status"?: string;
          "timezone"?: string;
          "updated_at"?: string;
        };
        Update: {
          "closed_at"?: string | null;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "locale"?: string;
          "name"?: string;
          "slug"?: string;
          "status"?: string;
          "timezone"?: string;
          "updated_at"?: string;
        };
        Relationships: [];
      };
      "payments": {
        Row: {
          "amount_cents": number;
          "booking_id": string;
          "created_at": string;
          "currency": string;
          "id": string;
          "method": string;
          "occurred_at": string;
          "organization_id": string;
          "provider_payment_id": string | null;
          "provider_session_id": string | null;
          "recorded_by": NonNullable<Json>;
        };
        ComputedFields: never;
        Insert: {
          "amount_cents": number;
          "booking_id": string;
          "created_at"?: string;
          "currency": string;
          "id"?: string;
          "method": string;
          "occurred_at"?: string;
          "organization_id": string;
          "provider_payment_id"?: string | null;
          "provider_session_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
        };
        Update: {
          "amount_cents"?: number;
          "booking_id"?: string;
          "created_at"?: string;
          "currency"?: string;
          "id"?: string;
          "method"?: string;
          "occurred_at"?: string;
          "organization_id"?: string;
          "provider_payment_id"?: string | null;
          "provider_session_id"?: string | null;
          "recorded_by"?: NonNullable<Json>;
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
        };
        Update: {
          "action"?: never;
          "category"?: string;
          "description_en"?: string;
          "description_es"?: string;
          "key"?: string;
          "mutates"?: boolean;
          "resource"?: never;
        };
        Relationships: [];
      };
      "profiles": {
        Row: {
          "active_organization_id": string | null;
          "created_at": string;
          "email": string;
          "full_name": string;
          "locale": string;
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
          "updated_at"?: string;
          "user_id": string;
        };
        Update: {
          "active_organization_id"?: string | null;
          "created_at"?: string;
          "email"?: string;
          "full_name"?: string;
          "locale"?: string;
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
          "kind": string;
          "method": string;
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
          "kind"?: string;
          "method": string;
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
          "kind"?: string;
          "method"?: string;
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
      "rooms": {
        Row: {
          "created_at": string;
          "description": string;
          "difficulty": number | null;
          "duration_minutes": number;
          "id": string;
          "image_path": string | null;
          "is_published": boolean;
          "location_id": string;
          "maximum_party": number;
          "minimum_party": number;
          "mode": string;
          "name": string;
          "organization_id": string;
          "price_cents": number;
          "price_per": string;
          "slug": string;
          "tax_rate_bp": number;
          "turnaround_minutes": number;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "created_at"?: string;
          "description"?: string;
          "difficulty"?: number | null;
          "duration_minutes"?: number;
          "id"?: string;
          "image_path"?: string | null;
          "is_published"?: boolean;
          "location_id": string;
          "maximum_party"?: number;
          "minimum_party"?: number;
          "mode"?: string;
          "name": string;
          "organization_id"?: string;
          "price_cents": number;
          "price_per"?: string;
          "slug": string;
          "tax_rate_bp"?: number;
          "turnaround_minutes"?: number;
          "updated_at"?: string;
        };
        Update: {
          "created_at"?: string;
          "description"?: string;
          "difficulty"?: number | null;
          "duration_minutes"?: number;
          "id"?: string;
          "image_path"?: string | null;
          "is_published"?: boolean;
          "location_id"?: string;
          "maximum_party"?: number;
          "minimum_party"?: number;
          "mode"?: string;
          "name"?: string;
          "organization_id"?: string;
          "price_cents"?: number;
          "price_per"?: string;
          "slug"?: string;
          "tax_rate_bp"?: number;
          "turnaround_minutes"?: number;
          "updated_at"?: string;
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
      "sessions": {
        Row: {
          "capacity": number;
          "created_at": string;
          "during": unknown;
          "ends_at": string;
          "id": string;
          "mode": string;
          "occupied_until": string;
          "organization_id": string;
          "reason": string;
          "room_id": string;
          "seats_taken": number;
          "starts_at": string;
          "status": string;
          "updated_at": string;
        };
        ComputedFields: never;
        Insert: {
          "capacity": number;
          "created_at"?: string;
          "during"?: never;
          "ends_at": string;
          "id"?: string;
          "mode": string;
          "occupied_until": string;
          "organization_id": string;
          "reason"?: string;
          "room_id": string;
          "seats_taken": number;
          "starts_at": string;
          "status"?: string;
          "updated_at"?: string;
        };
        Update: {
          "capacity"?: number;
          "created_at"?: string;
          "during"?: never;
          "ends_at"?: string;
          "id"?: string;
          "mode"?: string;
          "occupied_until"?: string;
          "organization_id"?: string;
          "reason"?: string;
          "room_id"?: string;
          "seats_taken"?: number;
          "starts_at"?: string;
          "status"?: string;
          "updated_at"?: string;
        };
        Relationships: [
          {
            foreignKeyName: "sessions_room_fkey";
            columns: ["organization_id", "room_id"];
            isOneToOne: false;
            referencedRelation: "rooms";
            referencedColumns: ["organization_id", "id"];
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
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      "accept_invitation": { Args: { "token": string }; Returns: Json };
      "block_room": {
        Args: {
          "ends_at": string;
          "organization_id": string;
          "reason"?: string;
          "room_id": string;
          "starts_at": string;
        };
        Returns: Json;
      };
      "cancel_booking": { Args: { "manage_token": string; "reference": string }; Returns: Json };
      "close_organization": {
        Args: { "confirm_slug": string; "organization_id": string };
        Returns: Json;
      };
      "create_api_key": {
        Args: {
          "expires_at"?: string;
          "name": string;
          "organization_id": string;
          "permissions": (string)[];
        };
        Returns: Json;
      };
      "create_calendar_feed": {
        Args: { "name": string; "organization_id": string };
        Returns: Json;
      };
      "create_organization": {
        Args: {
          "currency"?: string;
          "locale"?: string;
          "name": string;
          "slug"?: string;
          "timezone"?: string;
        };
        Returns: Json;
      };
      "create_role": {
        Args: {
          "description"?: string;
          "name": string;
          "organization_id": string;
          "permissions": (string)[];
        };
        Returns: Json;
      };
      "delete_role": {
        Args: { "organization_id": string; "replacement_role_id"?: string; "role_id": string };
        Returns: undefined;
      };
      "disable_join_code": { Args: { "organization_id": string }; Returns: Json };
      "end_support_entry": {
        Args: { "organization_id": string; "support_entry_id": string };
        Returns: undefined;
      };
      "export_organization": { Args: { "organization_id": string }; Returns: Json };
      "get_availability": {
        Args: {
          "from_date": string;
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
      "get_booking": { Args: { "manage_token": string; "reference": string }; Returns: Json };
      "get_calendar": { Args: { "slug": string }; Returns: Json };
      "get_calendar_feed": { Args: { "token": string }; Returns: Json };
      "get_join_code": { Args: { "organization_id": string }; Returns: Json };
      "get_row_at": {
        Args: { "at": string; "organization_id": string; "row_key": string; "table_name": string };
        Returns: Json;
      };
      "has_permission": { Args: { "permission": string }; Returns: boolean };
      "hold_booking": {
        Args: {
          "customer": Json;
          "expected_total_cents": number;
          "idempotency_key": string;
          "party_size": number;
          "room_id": string;
          "slug": string;
          "starts_at": string;
        };
        Returns: Json;
      };
      "invite_member": {
        Args: { "email": string; "organization_id": string; "role_id": string };
        Returns: Json;
      };
      "join_organization": { Args: { "code": string }; Returns: Json };
      "leave_organization": { Args: { "organization_id": string }; Returns: undefined };
      "my_context": { Args: Record<PropertyKey, never>; Returns: Json };
      "platform_enter_organization": {
        Args: {
          "minutes"?: number;
          "organization_id": string;
          "reason": string;
          "role_key"?: string;
        };
        Returns: Json;
      };
      "platform_erase_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: undefined;
      };
      "platform_list_organizations": {
        Args: {
          "after_id"?: string;
          "max_rows"?: number;
          "search"?: string;
          "with_status"?: string;
        };
        Returns: {
          "bookings_30_days": number;
          "created_at": string;
          "id": string;
          "members": number;
          "name": string;
          "slug": string;
          "status": string;
        }[];
      };
      "platform_reactivate_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: Json;
      };
      "platform_statistics": { Args: Record<PropertyKey, never>; Returns: Json };
      "platform_suspend_organization": {
        Args: { "organization_id": string; "reason": string };
        Returns: Json;
      };
      "quote_booking": {
        Args: { "party_size": number; "room_id": string; "slug": string; "starts_at": string };
        Returns: Json;
      };
      "reactivate_member": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Json;
      };
      "record_payment": {
        Args: {
          "amount_cents": number;
          "booking_id": string;
          "idempotency_key": string;
          "method": string;
          "organization_id": string;
        };
        Returns: Json;
      };
      "remove_member": {
        Args: { "organization_id": string; "user_id": string };
        Returns: undefined;
      };
      "revoke_api_key": {
        Args: { "api_key_id": string; "organization_id": string };
        Returns: undefined;
      };
      "revoke_calendar_feed": {
        Args: { "feed_id": string; "organization_id": string };
        Returns: Json;
      };
      "revoke_invitation": {
        Args: { "invitation_id": string; "organization_id": string };
        Returns: undefined;
      };
      "rotate_join_code": { Args: { "organization_id": string }; Returns: Json };
      "set_member_role": {
        Args: { "organization_id": string; "role_id": string; "user_id": string };
        Returns: Json;
      };
      "set_role_permissions": {
        Args: { "organization_id": string; "permissions": (string)[]; "role_id": string };
        Returns: Json;
      };
      "suspend_member": { Args: { "organization_id": string; "user_id": string }; Returns: Json };
      "switch_organization": { Args: { "organization_id": string }; Returns: Json };
      "transfer_ownership": {
        Args: { "organization_id": string; "user_id": string };
        Returns: Json;
      };
      "transition_booking": {
        Args: {
          "booking_id": string;
          "organization_id": string;
          "reason"?: string;
          "to_status": string;
        };
        Returns: Json;
      };
      "unblock_room": { Args: { "organization_id": string; "session_id": string }; Returns: Json };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      "available_slot": {
        "room_id": string | null;
        "starts_at": string | null;
        "ends_at": string | null;
        "local_date": string | null;
        "local_time": string | null;
        "timezone": string | null;
        "seats_available": number | null;
        "price_cents": number | null;
        "currency": string | null;
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
      "apply_checkout_session": { Args: { "session": Json }; Returns: Json };
      "apply_refund": { Args: { "refund": Json }; Returns: Json };
      "claim_jobs": {
        Args: { "lease_seconds": number; "max_jobs": number; "worker": string };
        Returns: {
          "attempt": number;
          "id": number;
          "kind": string;
          "lease_token": string;
          "organization_id": string;
          "payload": Json;
        }[];
      };
      "complete_job": { Args: { "job_id": number; "lease_token": string }; Returns: boolean };
      "exchange_api_key": { Args: { "address": string; "secret": string }; Returns: Json };
      "extend_job": {
        Args: { "job_id": number; "lease_seconds": number; "lease_token": string };
        Returns: boolean;
      };
      "fail_checkout": { Args: { "attempt_id": string; "error": string }; Returns: Json };
      "fail_job": {
        Args: { "error": string; "job_id": number; "lease_token": string; "retry": boolean };
        Returns: string;
      };
      "finish_export": {
        Args: {
          "export_id": string;
          "object_path": string;
          "organization_id": string;
          "row_count": number;
        };
        Returns: undefined;
      };
      "get_checkout_attempt": { Args: { "attempt_id": string }; Returns: Json };
      "get_refund_request": {
        Args: { "organization_id": string; "refund_request_id": string };
        Returns: Json;
      };
      "health": { Args: Record<PropertyKey, never>; Returns: Json };
      "open_checkout": { Args: { "manage_token": string; "reference": string }; Returns: Json };
      "prepare_email": { Args: { "job_id": number; "lease_token": string }; Returns: Json };
      "queue_statistics": { Args: Record<PropertyKey, never>; Returns: Json };
      "read_organization": {
        Args: { "after"?: Json; "max_rows"?: number; "organization_id": string };
        Returns: Json[];
      };
      "receive_stripe_event": { Args: { "event": Json }; Returns: Json };
      "record_checkout": {
        Args: { "attempt_id": string; "expires_at": string; "session_id": string; "url": string };
        Returns: Json;
      };
      "record_email": {
        Args: {
          "job_id": number;
          "lease_token": string;
          "provider": string;
          "provider_message_id": string;
        };
        Returns: Json;
      };
      "record_email_event": { Args: { "event": Json }; Returns: Json };
      "stale_checkouts": {
        Args: { "older_than_seconds": number };
        Returns: {
          "attempt_id": string;
          "session_id": string;
          "stripe_account": string;
        }[];
      };
      "sweep": { Args: Record<PropertyKey, never>; Returns: Json };
    };
    Enums: {
      [_ in never]: never;
    };
    CompositeTypes: {
      [_ in never]: never;
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
