/**
 * Escapes text for Terraform, which reads `${` and `%{` as the beginning of a template; a doubled sign stands for the
 * sign itself. Pure.
 */
export function literal(text: string): string {
  // A function, because `$$` in a replacement text stands for one dollar sign.
  return text.replace(/[$%](?=\{)/g, (sign) => sign + sign);
}
