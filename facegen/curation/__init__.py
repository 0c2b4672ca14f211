"""From raw photographs to an indexed dataset, in resumable stages: faces, landmarks, cameras, quality, crops."""
