import type { ButtonHTMLAttributes, ReactNode } from 'react';

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly label: string;
  readonly children: ReactNode;
}

/** A button with an icon only; its label is its name and its tooltip. */
export const IconButton = ({ label, children, className = '', ...rest }: Props) => (
  <button type="button" className={`icon-button ${className}`} aria-label={label} title={label} {...rest}>
    {children}
  </button>
);
