"""Renderers: findings, inspections and differences as text, JSON, SARIF, annotations, HTML."""
