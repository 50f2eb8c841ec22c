"""What a person looks at: tables, contact sheets and the report page."""
